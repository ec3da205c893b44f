import { spawn } from 'node:child_process';
import { createHash, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import type { StartedApp } from './app.js';
import { temporaryFolder } from './temporary.js';

/** The program of the browser, for `lacking`. */
export const BROWSER = 'chromium';

type Fields = Readonly<Record<string, unknown>>;
interface Message {
  readonly id?: number;
  readonly method?: string;
  readonly params?: Fields;
  readonly result?: Fields;
  readonly error?: { readonly message: string };
}

/** What happened in a page beside what is shown: of a page that is what it should be nothing but requests to its own server. */
export interface Happenings {
  /** Violations of the content security policy, errors in the console, dialogs, exceptions. */
  readonly faults: readonly string[];
  readonly requests: readonly string[];
  /** Names under which something was to be saved. */
  readonly downloads: readonly string[];
}

/** A browser without windows, and one page in it. */
export interface Page {
  /** Goes to an address and waits until everything is there; also when it is a download. */
  open(url: string): Promise<Happenings>;
  /** The value of an expression in the page. */
  evaluate(expression: string): Promise<unknown>;
  /** What can be seen of the page in a window of this size, as PNG. */
  picture(width: number, height: number): Promise<Buffer>;
  stop(): Promise<void>;
}

/**
 * Starts Chromium, which trusts the app's certificate and nothing else of it. It is told what to do by a pipe (the protocol of its
 * developer tools), so that no port is open.
 */
export async function startBrowser(app: StartedApp): Promise<Page> {
  const folder = await temporaryFolder();
  const key = new X509Certificate(app.ca).publicKey.export({ type: 'spki', format: 'der' });
  const child = spawn(
    BROWSER,
    [
      '--headless=new',
      '--remote-debugging-pipe',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-dev-shm-usage',
      '--hide-scrollbars',
      `--ignore-certificate-errors-spki-list=${createHash('sha256').update(key).digest('base64')}`,
      `--user-data-dir=${join(folder.path, 'profile')}`,
      // It refuses to put root into its sandbox.
      ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
    ],
    {
      env: { PATH: process.env['PATH'] ?? '', HOME: folder.path },
      stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'],
      detached: true,
    },
  );
  const killAll = (): void => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
    } catch {
      // It is over.
    }
  };
  process.once('exit', killAll);
  const pipe = new Pipe(child.stdio[3] as Writable, child.stdio[4] as Readable);
  const page = await openPage(pipe);
  return {
    ...page,
    stop: async () => {
      const closed = once(child, 'close');
      killAll();
      await closed;
      process.off('exit', killAll);
      await folder.remove();
    },
  };
}

/** Messages as JSON, each with a zero behind it. */
class Pipe {
  readonly #waiting = new Map<number, (message: Message) => void>();
  readonly #listeners = new Set<(message: Message) => void>();
  #next = 0;

  constructor(
    private readonly out: Writable,
    input: Readable,
  ) {
    let rest = '';
    input.setEncoding('utf8').on('data', (chunk: string) => {
      const parts = (rest + chunk).split('\0');
      rest = parts.pop() ?? '';
      for (const part of parts) this.#take(JSON.parse(part) as Message);
    });
    out.on('error', () => undefined);
  }

  async send(method: string, params: Fields = {}, sessionId?: string): Promise<Fields> {
    const id = (this.#next += 1);
    const answer = new Promise<Message>((resolve) => {
      this.#waiting.set(id, resolve);
    });
    this.out.write(`${JSON.stringify({ id, method, params, sessionId })}\0`);
    const { result, error } = await answer;
    if (error !== undefined) throw new Error(`${method}: ${error.message}`);
    return result ?? {};
  }

  listen(listener: (message: Message) => void): void {
    this.#listeners.add(listener);
  }

  #take(message: Message): void {
    if (message.id === undefined) for (const listener of this.#listeners) listener(message);
    else this.#waiting.get(message.id)?.(message);
  }
}

async function openPage(pipe: Pipe): Promise<Omit<Page, 'stop'>> {
  const { targetId } = await pipe.send('Target.createTarget', { url: 'about:blank' });
  const { sessionId } = await pipe.send('Target.attachToTarget', { targetId, flatten: true });
  const send = (method: string, params: Fields = {}): Promise<Fields> =>
    pipe.send(method, params, String(sessionId));
  let [faults, requests, downloads]: [string[], string[], string[]] = [[], [], []];
  let ready = Promise.withResolvers<void>();
  pipe.listen(({ method = '', params = {} }) => {
    const fault = faultIn(method, params);
    if (fault !== undefined) faults.push(fault);
    if (method === 'Network.requestWillBeSent') requests.push((params['request'] as { url: string }).url);
    if (method === 'Page.loadEventFired') ready.resolve();
    if (method === 'Browser.downloadWillBegin') {
      downloads.push(String(params['suggestedFilename']));
      ready.resolve();
    }
    if (method === 'Page.javascriptDialogOpening')
      void send('Page.handleJavaScriptDialog', { accept: false });
  });
  await pipe.send('Browser.setDownloadBehavior', { behavior: 'deny', eventsEnabled: true });
  for (const domain of ['Page', 'Runtime', 'Log', 'Network', 'Audits']) await send(`${domain}.enable`);
  return {
    open: async (url) => {
      [faults, requests, downloads] = [[], [], []];
      ready = Promise.withResolvers();
      await send('Page.navigate', { url });
      await ready.promise;
      // What was begun by the page itself comes before the answer to this.
      await send('Runtime.evaluate', { expression: '1' });
      return { faults, requests, downloads };
    },
    evaluate: async (expression) => {
      const { result } = await send('Runtime.evaluate', {
        expression,
        returnByValue: true,
        awaitPromise: true,
      });
      return (result as { value?: unknown }).value;
    },
    picture: async (width, height) => {
      const size = { width, height, deviceScaleFactor: 1, mobile: false };
      await send('Emulation.setDeviceMetricsOverride', size);
      const { data } = await send('Page.captureScreenshot', { format: 'png' });
      return Buffer.from(String(data), 'base64');
    },
  };
}

/** What nothing on a page of ours may cause. */
function faultIn(method: string, params: Fields): string | undefined {
  switch (method) {
    case 'Audits.issueAdded':
    case 'Page.javascriptDialogOpening':
    case 'Runtime.exceptionThrown':
    case 'Runtime.consoleAPICalled':
      return `${method} ${JSON.stringify(params)}`;
    case 'Log.entryAdded': {
      const { text, source, url } = params['entry'] as { text: string; source: string; url?: string };
      // That the status of the page itself is 404 or the like is what the page says, too; browsers ask for an icon by themselves.
      return source === 'network' ? undefined : `${source}: ${text} ${url ?? ''}`;
    }
    default:
      return undefined;
  }
}

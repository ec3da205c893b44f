import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Agent } from 'undici';
import { loadConfig, prepareHome, type ScsConfig } from '#libs/config';
import { systemCode, type Clock, type DomainError } from '#libs/core';
import { freePort } from './ports.js';
import { Secrets } from './secrets.js';
import { createLog, createServer, type RunningServer, type ServiceModule } from '#libs/server';

export interface StartAppOptions {
  /** The modules of services, as in `serve`. */
  readonly modules: readonly ServiceModule[];
  /** More settings, by their environment names: `{ SCS_SERVICES: 'auth,keystore' }`. Services that are not here need a URL. */
  readonly env?: Readonly<Record<string, string>>;
  readonly clock?: Clock;
  /** Open routes of the test's own controllers, as `GET /example/:word`; those of services are in the table of libs/server. */
  readonly alsoOpen?: readonly string[];
  /** An existing state folder, for a second start on the same data; it is not removed at the end. */
  readonly home?: string;
  /** Changes the modules' neighbours before they start, for example to make tokens without an auth service. */
  readonly prepare?: (config: ScsConfig) => Promise<readonly ServiceModule[]>;
}

/** A server with real TLS on a free port of 127.0.0.1. */
export interface StartedApp {
  /** `https://localhost:<port>`. */
  readonly url: string;
  readonly config: ScsConfig;
  readonly server: RunningServer;
  /** Trusts the instance's authority: pass it to undici's `request` or `fetch`. */
  readonly dispatcher: Agent;
  /** The instance's authority in PEM, for supertest (`.ca(…)`), `ws` and `https`. */
  readonly ca: string;
  /** The folder of all state. Its log is `log/test.log`. */
  readonly home: string;
  /** One of the app's providers, by its class or token. */
  get<T>(token: (abstract new (...parameters: never[]) => T) | symbol | string): T;
  /** Sends a request and reads the answer: JSON is parsed, everything else is text. */
  request(path: string, options?: AppRequest): Promise<AppAnswer>;
  /** The tokens and passwords of all requests; a test adds what it sends in other ways. */
  readonly secrets: Secrets;
  /** Stops it, and fails when one of the secrets is in a log or in the data that it leaves. */
  stop(): Promise<void>;
}

export interface AppRequest {
  readonly method?: string;
  readonly token?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly json?: unknown;
  readonly body?: string | Uint8Array | NodeJS.ReadableStream;
}

export interface AppAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** The parsed JSON, or the text where the answer is no JSON. */
  // oxlint-disable-next-line typescript/no-explicit-any -- tests look into answers whose shape they assert
  readonly body: any;
}

const ATTEMPTS = 10;

/** In settings, in place of a port: one that is free, and another one where somebody was faster. Which it is, the app's `config` says. */
export const ANY_PORT = 'any port that is free';

/**
 * Starts an app for a test in `test/http`, in this process, on a free port, with a state folder of its own that `stop` removes:
 *
 * ```ts
 * const app = await startApp({ modules: [KeystoreModule], env: { SCS_SERVICES: 'keystore', SCS_AUTH_URL: 'https://localhost:1' } });
 * const answer = await app.request('/pks/lookup?op=get&search=0x1234', { token });
 * expect(answer.status).toBe(404);
 * await app.stop();
 * ```
 */
export async function startApp(options: StartAppOptions): Promise<StartedApp> {
  const home = options.home ?? mkdtempSync(join(tmpdir(), 'scs-test-'));
  for (let attempt = 1; ; attempt++) {
    try {
      return await startOnce(options, home);
    } catch (error) {
      // Another program took the free port before we did.
      const taken =
        (error as Partial<DomainError>).reason === 'port_taken' || systemCode(error) === 'EADDRINUSE';
      if (taken && attempt < ATTEMPTS) continue;
      if (options.home === undefined) rmSync(home, { recursive: true, force: true });
      throw error;
    }
  }
}

async function startOnce(options: StartAppOptions, home: string): Promise<StartedApp> {
  const env: Record<string, string> = { SCS_PORT: ANY_PORT, ...options.env };
  for (const [name, value] of Object.entries(env)) {
    if (value !== ANY_PORT) continue;
    const others = Object.values(env);
    do env[name] = String(await freePort());
    while (others.includes(env[name]));
  }
  const config = loadConfig({
    SCS_HOME: home,
    SCS_LOG_LEVEL: 'debug',
    // Tests ask more often than anybody; those of the rates say otherwise.
    SCS_KEYSTORE_ADDS: '1000000',
    SCS_KEYSTORE_SEARCHES: '1000000',
    SCS_KEYSTORE_GETS: '1000000',
    ...env,
  });
  prepareHome(config);
  const extra = (await options.prepare?.(config)) ?? [];
  const server = await createServer({
    config,
    modules: [...options.modules, ...extra],
    log: createLog('test', config.logLevel, config.logFolder),
    ...(options.alsoOpen === undefined ? {} : { alsoOpen: options.alsoOpen }),
    ...(options.clock === undefined ? {} : { clock: options.clock }),
  });
  const secrets = new Secrets();
  const ca = server.certificates?.current.cert ?? '';
  const dispatcher = new Agent({ connect: ca === '' ? {} : { ca } });
  return {
    url: config.publicUrl,
    config,
    server,
    dispatcher,
    ca,
    home,
    get: (token) => server.app.get(token, { strict: false }),
    secrets,
    request: async (path, request = {}) => {
      const answer = await send(dispatcher, config.publicUrl, path, request);
      secrets.addFrom(request, answer.body);
      return answer;
    },
    stop: async () => {
      await dispatcher.destroy();
      await server.close();
      const leaks = await secrets.leaks(home);
      if (options.home === undefined) rmSync(home, { recursive: true, force: true });
      if (leaks.length > 0) throw new Error(`Secrets were written down: ${leaks.join(', ')}`);
    },
  };
}

async function send(
  dispatcher: Agent,
  origin: string,
  path: string,
  request: AppRequest,
): Promise<AppAnswer> {
  const body = request.json === undefined ? request.body : JSON.stringify(request.json);
  const answer = await dispatcher.request({
    origin,
    path,
    method: request.method ?? (body === undefined ? 'GET' : 'POST'),
    headers: {
      ...(request.token === undefined ? {} : { authorization: `Bearer ${request.token}` }),
      ...request.headers,
    },
    body: (body ?? null) as string | null,
  });
  const { statusCode: status, headers } = answer;
  // A stream of events has no end: its head is the answer.
  if (headers['content-type']?.includes('text/event-stream') === true) {
    answer.body.on('error', () => undefined).destroy();
    return { status, headers, body: '' };
  }
  const text = await answer.body.text();
  const json = String(headers['content-type'] ?? '').includes('json') && text !== '';
  return { status, headers, body: json ? JSON.parse(text) : text };
}

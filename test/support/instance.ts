import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, watch } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Agent, request } from 'undici';
import type { Endpoint } from '#libs/config';
import { freePort } from './ports.js';
import { temporaryFolder } from './temporary.js';

const CHECKOUT = fileURLToPath(new URL('../../', import.meta.url));
const SUPERVISOR = join(CHECKOUT, 'dist/apps/supervisor/src/main.js');

/** Few services start fast; the builder is one of them because Redis is started for it. */
const SMALL = { SCS_SERVICES: 'auth,builder', SCS_LIBRARY_URL: 'https://localhost:1' };

export interface CommandResult {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** An instance as `scripts/up` runs it, from `dist/`, in a state folder and on a port of its own. */
export interface Instance {
  readonly home: string;
  readonly port: number;
  /** Runs `start`, `stop` or `start --foreground` of the supervisor with the instance's settings and `env`. */
  command(words: readonly string[], env?: Readonly<Record<string, string>>): Promise<CommandResult>;
  /** Starts it. @throws Error with what was said when that does not work */
  start(): Promise<void>;
  endpoint(): Endpoint;
  /** The children that run now, by name. */
  children(): Record<string, { pid: number }>;
  /** Resolves when a file of the run or log folder satisfies `look`, which is called whenever something changes there. */
  until(folder: 'run' | 'log', look: () => boolean): Promise<void>;
  /** Sends a request, trusting the instance's own authority. */
  get(path: string, token?: string): Promise<{ status: number; body: unknown }>;
  log(name: string): string;
  /** Stops whatever still runs and removes the state folder. */
  remove(): Promise<void>;
}

/**
 * Prepares an instance without starting it. Needs `dist/` (npm run build; scripts/test sees to it).
 * @param env settings for every command; by default the small services only, which start fast
 */
export async function prepareInstance(env: Readonly<Record<string, string>> = {}): Promise<Instance> {
  if (!existsSync(SUPERVISOR)) throw new Error('Expected dist/, which is missing: run npm run build');
  const folder = await temporaryFolder();
  const home = join(folder.path, 'home');
  const port = await freePort();
  const settings = { SCS_HOME: home, SCS_PORT: String(port), ...SMALL, ...env };
  const command: Instance['command'] = async (words, more = {}) => {
    const child = spawn(process.execPath, [SUPERVISOR, ...words], {
      env: { PATH: process.env.PATH, ...settings, ...more },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk) => (stdout += String(chunk)));
    child.stderr.on('data', (chunk) => (stderr += String(chunk)));
    const [status] = (await once(child, 'close')) as [number | null];
    return { status, stdout, stderr };
  };
  const read = (path: string): string => readFileSync(join(home, path), 'utf8');
  return {
    home,
    port,
    command,
    start: async () => {
      const { status, stderr } = await command(['start']);
      if (status !== 0) throw new Error(stderr);
    },
    endpoint: () => JSON.parse(read('endpoint.json')) as Endpoint,
    children: () => JSON.parse(read('run/processes.json')) as Record<string, { pid: number }>,
    until: (name, look) => until(join(home, name), look),
    get: async (path, token) => {
      const dispatcher = new Agent({ connect: { ca: read('tls/ca.pem') } });
      try {
        const answer = await request(`https://localhost:${port}${path}`, {
          dispatcher,
          headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
        });
        return { status: answer.statusCode, body: await answer.body.json() };
      } finally {
        await dispatcher.destroy();
      }
    },
    log: (name) => (existsSync(join(home, 'log', `${name}.log`)) ? read(`log/${name}.log`) : ''),
    remove: async () => {
      await command(['stop']);
      await folder.remove();
    },
  };
}

function until(folder: string, look: () => boolean): Promise<void> {
  return new Promise((resolve, reject) => {
    const watcher = watch(folder, () => tryNow());
    watcher.once('error', reject);
    const tryNow = (): void => {
      try {
        if (!look()) return;
      } catch {
        // A file that is being replaced: its end is another change.
        return;
      }
      watcher.close();
      resolve();
    };
    tryNow();
  });
}

/** Whether a process runs; one that has ended and that nobody collected does not. */
export function exists(pid: number): boolean {
  try {
    return !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'latin1'));
  } catch {
    return false;
  }
}

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { descriptorsOf, freePort } from './process.mjs';
import { untilNothing } from './until.mjs';

const MAIN = new URL('../../dist/apps/all-in-one/src/main.js', import.meta.url).pathname;

/** Connections come and go. */
const SLACK = 8;

/** The library with the auth service in one process, as an instance runs them, on a state folder below `folder`. */
export const libraryServer = (folder) => serverOf(folder, 'auth,library');

/** Services in one process. @param services the first of which is auth */
export async function serverOf(folder, services, settings = {}) {
  if (!existsSync(MAIN)) throw new Error('Build first: npm run build');
  const home = join(folder, 'home');
  const incoming = join(home, 'data/library/blobs/incoming');
  const port = await freePort();
  let child;
  let said = '';
  const read = (path) => readFileSync(join(home, path), 'utf8');
  const running = () => child !== undefined && child.exitCode === null && child.signalCode === null;
  const end = async (signal) => {
    if (!running()) return;
    const gone = once(child, 'exit');
    child.kill(signal);
    await gone;
  };
  const server = {
    url: `https://localhost:${port}`,
    get ca() {
      return read('tls/ca.pem');
    },
    get token() {
      return read('admin.token').trim();
    },
    /** Resolves when everything works that was promised. @throws Error with what the process said */
    async start() {
      child = spawn(process.execPath, [MAIN], {
        env: {
          PATH: process.env.PATH,
          SCS_HOME: home,
          SCS_PORT: String(port),
          SCS_SERVICES: services,
          SCS_LOG_LEVEL: 'warn',
          ...settings,
        },
        stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      });
      said = '';
      child.stderr.on('data', (text) => (said += text));
      const [message] = await Promise.race([
        once(child, 'message'),
        once(child, 'exit').then(() => [{ type: 'failed', message: said }]),
      ]);
      if (message.type !== 'ready' || message.failing.length > 0)
        throw new Error(`The server did not start: ${message.message ?? message.failing.join(', ')}`);
    },
    kill: () => end('SIGKILL'),
    /** @throws Error when the server said anything: Node closes files that nobody closed some time, and says so then */
    async stop() {
      await end('SIGTERM');
      if (said !== '') throw new Error(`Expected nothing on standard error, got: ${said}`);
    },
    /** What the server has open: everything, or its files of image data. */
    descriptors: () => descriptorsOf(child.pid),
    openBlobs: () =>
      descriptorsOf(child.pid).filter((path) => path.startsWith(join(home, 'data/library/blobs'))),
    /** Bytes that are not committed. */
    temporaries: () => (existsSync(incoming) ? readdirSync(incoming) : []),
    /** Errors in the log: a client that goes away is none. */
    errors: () =>
      read('log/server.log')
        .split('\n')
        .filter((line) => line !== '' && JSON.parse(line).level >= 50),
    /**
     * @param before how many descriptors were open before; connections that are kept are among them
     * @throws Error unless the same process still runs, without errors, temporary files, open image data and more descriptors
     */
    async requireClean(before) {
      await untilNothing('temporary files', server.temporaries);
      if (!running()) throw new Error(`The server ended (${child.signalCode ?? child.exitCode})`);
      await untilNothing('open image data', server.openBlobs);
      await untilNothing(`more than ${before} descriptors`, () =>
        server.descriptors().length > before + SLACK ? server.descriptors() : [],
      );
      const [error] = server.errors();
      if (error !== undefined) throw new Error(`The server met an error: ${error}`);
    },
  };
  return server;
}

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { descriptorsOf, freePort, ownMemoryOf, processorTimeOf } from './process.mjs';
import { serverProcess } from './server-process.mjs';
import { untilNothing } from './until.mjs';

/** Connections come and go. */
const SLACK = 8;

/** The library with the auth service in one process, as an instance runs them, on a state folder below `folder`. */
export const libraryServer = (folder) => serverOf(folder, 'auth,library');

/** Services in one process. @param services with auth among them */
export async function serverOf(folder, services, settings = {}) {
  const home = join(folder, 'home');
  const incoming = join(home, 'data/library/blobs/incoming');
  const port = await freePort();
  const read = (path) => readFileSync(join(home, path), 'utf8');
  const server = serverProcess({
    app: 'all-in-one',
    env: { SCS_HOME: home, SCS_PORT: String(port), SCS_SERVICES: services, ...settings },
  });
  /** What the server has open: everything, or its files of image data. */
  const descriptors = () => descriptorsOf(server.pid);
  const openBlobs = () => descriptors().filter((path) => path.startsWith(join(home, 'data/library/blobs')));
  /** Bytes that are not committed. */
  const temporaries = () => (existsSync(incoming) ? readdirSync(incoming) : []);
  return {
    url: `https://localhost:${port}`,
    get ca() {
      return read('tls/ca.pem');
    },
    get token() {
      return read('admin.token').trim();
    },
    start: () => server.start(),
    kill: () => server.kill(),
    stop: () => server.stop(),
    descriptors,
    /** Milliseconds that the process has worked so far. */
    worked: () => processorTimeOf(server.pid),
    /** Looks every tenth of a second how much memory the process has for itself. `stop` says the most, in bytes. */
    watchMemory() {
      let most = 0;
      const look = () => (most = Math.max(most, ownMemoryOf(server.pid)));
      const timer = setInterval(look, 100);
      return {
        stop() {
          clearInterval(timer);
          look();
          return most;
        },
      };
    },
    /** Resolves when the process has little to do, or when that takes too long. */
    async untilIdle(patience = 30_000) {
      for (const end = performance.now() + patience; performance.now() < end;) {
        const before = processorTimeOf(server.pid);
        await wait(1000);
        if (processorTimeOf(server.pid) - before < 200) return;
      }
    },
    openBlobs,
    temporaries,
    /** The file of a committed blob. */
    blob: (hash) => {
      const digits = hash.slice('sha256.'.length);
      return join(home, 'data/library/blobs/sha256', digits.slice(0, 2), digits);
    },
    /**
     * @param before how many descriptors were open before; connections that are kept are among them
     * @param interrupted whether parts of images may be there whose clients have gone: the library keeps them for an hour
     * @param patience how long what has to end may take, in milliseconds
     * @throws Error unless the same process still runs, without errors, temporary files, open image data and more descriptors
     */
    async requireClean(before, { interrupted = false, patience } = {}) {
      if (!interrupted) await untilNothing('temporary files', temporaries, patience);
      server.requireRunning();
      await untilNothing('open image data', openBlobs, patience);
      const more = () => (descriptors().length > before + SLACK ? descriptors() : []);
      await untilNothing(`more than ${before} descriptors`, more, patience);
      requireNoErrors(read('log/server.log'));
    },
  };
}

/** @param log JSON lines; a client that goes away is no error. @throws Error with the first one */
export function requireNoErrors(log) {
  const error = log.split('\n').find((line) => line !== '' && JSON.parse(line).level >= 50);
  if (error !== undefined) throw new Error(`The server met an error: ${error}`);
}

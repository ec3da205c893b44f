import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { descriptorsOf, freePort } from './process.mjs';
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
    openBlobs,
    temporaries,
    /** The file of a committed blob. */
    blob: (hash) => {
      const digits = hash.slice('sha256.'.length);
      return join(home, 'data/library/blobs/sha256', digits.slice(0, 2), digits);
    },
    /**
     * @param before how many descriptors were open before; connections that are kept are among them
     * @throws Error unless the same process still runs, without errors, temporary files, open image data and more descriptors
     */
    async requireClean(before) {
      await untilNothing('temporary files', temporaries);
      server.requireRunning();
      await untilNothing('open image data', openBlobs);
      await untilNothing(`more than ${before} descriptors`, () =>
        descriptors().length > before + SLACK ? descriptors() : [],
      );
      requireNoErrors(read('log/server.log'));
    },
  };
}

/** @param log JSON lines; a client that goes away is no error. @throws Error with the first one */
export function requireNoErrors(log) {
  const error = log.split('\n').find((line) => line !== '' && JSON.parse(line).level >= 50);
  if (error !== undefined) throw new Error(`The server met an error: ${error}`);
}

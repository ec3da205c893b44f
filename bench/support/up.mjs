import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { freePort } from './process.mjs';

const run = promisify(execFile);
const checkout = new URL('../..', import.meta.url).pathname;

/** The `sing` of this checkout, as people call it. */
export const SING = join(checkout, 'bin/sing');

/**
 * An instance of its own, which scripts/up starts and scripts/down ends: default settings, a state folder below `folder`
 * and a free port. `up` resolves when scripts/up says that the instance is healthy.
 */
export async function ownInstance(folder, env = {}) {
  const home = join(folder, 'scs');
  const port = await freePort();
  const settings = { ...process.env, ...env, SCS_HOME: home, SCS_PORT: String(port), HOME: folder };
  const script = (name) => run(join(checkout, 'scripts', name), [], { env: settings, cwd: folder });
  const read = (path) => readFileSync(join(home, path), 'utf8');
  return {
    home,
    port,
    /** The environment in which commands find this instance. */
    env: settings,
    url: `https://localhost:${port}`,
    get endpoint() {
      return JSON.parse(read('endpoint.json'));
    },
    get ca() {
      return read('tls/ca.pem');
    },
    get certFile() {
      return join(home, 'tls/server.pem');
    },
    get token() {
      return read('admin.token').trim();
    },
    /** Of one of its programs, by the name that the supervisor gives it. */
    pidOf: (name) => JSON.parse(read('run/processes.json'))[name].pid,
    up: () => script('up'),
    down: () => script('down'),
  };
}

/** What a command of `scs` of this checkout prints, in the environment of an instance. */
export async function scs(instance, words) {
  const { stdout } = await run(join(checkout, 'bin/scs'), words, { env: instance.env });
  return stdout;
}

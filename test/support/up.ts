import { mkdirSync, readFileSync } from 'node:fs';
import { chmod, chown } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Endpoint } from '#libs/config';
import { ordinaryId } from './containers.js';
import { freePort } from './ports.js';
import { type Ended, ok, run, type Running, start } from './run.js';
import { temporaryFolder } from './temporary.js';

export const CHECKOUT = fileURLToPath(new URL('../../', import.meta.url)).replace(/\/$/, '');
const SING = join(CHECKOUT, 'bin/sing');

/** Everything that runs in one process by default. */
export const ALL_SERVICES = 'auth,keystore,library,builder,worker,web';

/** Somebody with a home of their own who types commands. */
export interface Person {
  /** Home and working directory. */
  readonly home: string;
  /** The numeric id, when it is another one than that of the tests. */
  readonly id: number | undefined;
  readonly env: Readonly<Record<string, string>>;
  /** The same person with more in the environment. */
  with(env: Readonly<Record<string, string>>): Person;
  path(name: string): string;
  /** Runs a program; the answer says how it ended. */
  run(command: string, words: readonly string[], input?: string): Promise<Ended>;
  /** Runs a program that must succeed. */
  ok(command: string, words: readonly string[], input?: string): Promise<Ended>;
  /** Starts a program and lets it run. */
  start(command: string, words: readonly string[]): Running;
  sing(...words: string[]): Promise<Ended>;
  singOk(...words: string[]): Promise<Ended>;
  startSing(...words: string[]): Running;
  remove(): Promise<void>;
}

/**
 * Makes a person.
 * @param who `same`: whoever runs the tests; `user`: somebody without any right, also where the tests run as root
 */
export async function person(who: 'same' | 'user' = 'same'): Promise<Person> {
  const folder = await temporaryFolder();
  const id = who === 'user' && process.getuid?.() === 0 ? ordinaryId() : undefined;
  const home = join(folder.path, 'person');
  mkdirSync(home, { mode: 0o700 });
  if (id !== undefined) {
    await chmod(folder.path, 0o755);
    await chown(home, id, id);
  }
  const base = { HOME: home, PATH: process.env.PATH ?? '/usr/bin:/bin', TERM: 'dumb', LANG: 'C.UTF-8' };
  return make(home, id, base, () => folder.remove());
}

function make(
  home: string,
  id: number | undefined,
  env: Readonly<Record<string, string>>,
  remove: () => Promise<void>,
): Person {
  const options = (input?: string) => ({ cwd: home, env, id, ...(input === undefined ? {} : { input }) });
  return {
    home,
    id,
    env,
    with: (more) => make(home, id, { ...env, ...more }, remove),
    path: (name) => join(home, name),
    run: (command, words, input) => run(command, words, options(input)),
    ok: (command, words, input) => ok(command, words, options(input)),
    start: (command, words) => start(command, words, options()),
    sing: (...words) => run(SING, words, options()),
    singOk: (...words) => ok(SING, words, options()),
    startSing: (...words) => start(SING, words, options()),
    remove,
  };
}

/** An instance that `scripts/up` started. */
export interface UpInstance {
  readonly home: string;
  readonly url: string;
  readonly port: number;
  /** File of the authority that clients trust. */
  readonly caFile: string;
  readonly token: string;
  /** What `scripts/up` printed. */
  readonly said: string;
  /** Process id of a program of the instance now, by name: `server`, `redis`. */
  pid(name: string): number;
  log(name: string): string;
  /** Runs scripts/up again with the same settings. */
  up(): Promise<Ended>;
  down(): Promise<Ended>;
}

/**
 * Starts an instance by `scripts/up` on a free port, with its state in the person's home. Whoever calls it ends it with `down`.
 * @throws Error with what was said when it does not start
 */
export async function startUp(
  owner: Person,
  env: Readonly<Record<string, string>> = {},
  name = 'scs',
): Promise<UpInstance> {
  const home = owner.path(name);
  const port = await freePort();
  const settings = { SCS_HOME: home, SCS_PORT: String(port), SCS_SERVICES: ALL_SERVICES, ...env };
  const keeper = owner.with(settings);
  const up = () => keeper.ok(join(CHECKOUT, 'scripts/up'), []);
  const { stdout } = await up();
  const read = (path: string): string => readFileSync(join(home, path), 'utf8');
  const endpoint = JSON.parse(read('endpoint.json')) as Endpoint;
  return {
    home,
    port,
    url: endpoint.url,
    caFile: endpoint.caFile ?? '',
    // Only where auth runs there is one.
    token: settings.SCS_SERVICES.includes('auth') ? read('admin.token').trim() : '',
    said: stdout,
    pid: (child) =>
      (JSON.parse(read('run/processes.json')) as Record<string, { pid: number }>)[child]?.pid ?? 0,
    log: (file) => read(`log/${file}.log`),
    up,
    down: () => keeper.ok(join(CHECKOUT, 'scripts/down'), []),
  };
}

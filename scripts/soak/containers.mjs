import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { untilNothing } from './until.mjs';

const run = promisify(execFile);
const MAIN = new URL('./containers/main.mjs', import.meta.url).pathname;
const ROOT = process.getuid?.() === 0;
/**
 * First process of a PID namespace, which reaps what nobody waits for, as init does. Mounts are passed on, as they are on machines with systemd: what a container
 * would leave there is seen.
 */
const INIT = `
  group=$1; shift
  [ -z "$group" ] || echo $$ >"$group/cgroup.procs"
  mount --make-rshared / && mount -t proc proc /proc || exit 1
  "$@" &
  wait $!`;

/** Starts of containers in every way, in a row and at once: none fails, and nothing is left. */
export const starts = (options) => inOwnWorld('starts', options);

/** Starts in which somebody is killed at any moment: the next one works, what was kept is there, and nothing is left. */
export const startKills = (options) => inOwnWorld('start-kills', options);

/** Starts of hostile plans: none changes what it may not, and nothing is left. `times`: seconds. */
export const plans = (options) => inOwnWorld('plans', options);

/** In namespaces and a cgroup of its own every process, mount and file that is left is ours. An ordinary user gets those in a user namespace. */
async function inOwnWorld(stage, { times, folder, random }) {
  const group = makeGroup();
  const user = ROOT ? [] : ['--user', '--map-current-user', '--keep-caps'];
  const own = [...user, '--mount', '--pid', '--fork', '--kill-child'];
  const words = [process.execPath, MAIN, stage, folder, String(times), String(random.between(0, 2 ** 31))];
  try {
    const command = [...own, 'sh', '-c', INIT, 'sh', group ?? '', ...words];
    const { stdout } = await run('unshare', command, { maxBuffer: 64 * 1024 * 1024 });
    if (group !== null) await removeGroup(group);
    return stdout.trim();
  } catch (error) {
    if (group !== null) await removeGroup(group).catch(() => undefined);
    throw new Error(error.stderr || error.message, { cause: error });
  }
}

/** A cgroup below the one of this process; null where none can be made. */
function makeGroup() {
  const own = /^0::(.*)$/m.exec(readFileSync('/proc/self/cgroup', 'utf8'))?.[1];
  const line = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .find((one) => one.includes(' - cgroup2 '));
  if (own === undefined || line === undefined) return null;
  const path = join(line.split(' ')[4], own, `scs-soak-${process.pid}`);
  try {
    mkdirSync(path);
    return path;
  } catch {
    return null;
  }
}

/** @throws Error when a process or another cgroup is left in it */
async function removeGroup(path) {
  await untilNothing('cgroup to be left', () => {
    try {
      if (existsSync(path)) rmdirSync(path);
      return '';
    } catch (error) {
      return error.message;
    }
  });
}

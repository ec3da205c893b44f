import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { untilNothing } from './until.mjs';

const run = promisify(execFile);
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

/**
 * Runs a script of Node in namespaces and a cgroup of its own: every process, mount and file that is left there is its own. An ordinary user gets those in a user
 * namespace.
 * @param words the script and what it is told
 * @param more namespaces, as `unshare` calls them
 * @returns what it said
 * @throws Error with what it complained of, or because a process is left
 */
export async function inOwnWorld(words, more = []) {
  const group = makeGroup();
  const user = ROOT ? [] : ['--user', '--map-current-user', '--keep-caps'];
  const own = [...user, '--mount', '--pid', ...more, '--fork', '--kill-child'];
  try {
    const command = [...own, 'sh', '-c', INIT, 'sh', group ?? '', process.execPath, ...words];
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

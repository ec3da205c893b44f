import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventually } from './processes.js';

type WayToKill = 'cgroup.kill' | 'signals';

/** A cgroup for processes of a test, as a batch system makes one for a job. */
export interface Cgroup {
  /** Words before a command that is to run in it. */
  readonly inside: readonly string[];
  processes(): readonly string[];
  /** Ends everything in it, in one of `waysToKill()`: by the kernel's own file, or one process after the other until none is there. */
  kill(by: WayToKill): Promise<void>;
  /** Ends what is still in it, which after a test that went well is nothing. */
  remove(): Promise<void>;
}

interface Parent {
  readonly path: string;
  readonly hasKill: boolean;
}

/** Why no cgroup can be made here: undefined where it can, and with SING_MUST_WORK=1. */
export function lackingCgroups(): string | undefined {
  if (process.env['SING_MUST_WORK'] === '1' || writableParent() !== undefined) return undefined;
  return 'no cgroup of this machine can be written by this user';
}

/** How everything in a cgroup can be ended here; older kernels, and version 1, have no file for it. */
export function waysToKill(): readonly WayToKill[] {
  return writableParent()?.hasKill === true ? ['cgroup.kill', 'signals'] : ['signals'];
}

/** Makes a cgroup below the one of this process. @throws Error where that cannot be */
export function makeCgroup(name: string): Cgroup {
  const parent = writableParent();
  if (parent === undefined) throw new Error('Expected a cgroup that can be written, got none');
  const path = join(parent.path, `sing-test-${process.pid}-${name}`);
  mkdirSync(path);
  const processes = (): string[] =>
    readFileSync(join(path, 'cgroup.procs'), 'utf8').split('\n').filter(Boolean);
  const cgroup: Cgroup = {
    inside: ['sh', '-c', 'echo $$ >"$0/cgroup.procs" && exec "$@"', path],
    processes,
    async kill(by) {
      if (by === 'cgroup.kill') writeFileSync(join(path, 'cgroup.kill'), '1');
      await eventually('the cgroup to be empty', () => {
        const left = processes();
        for (const pid of by === 'signals' ? left : []) kill(Number(pid));
        return left;
      });
    },
    async remove() {
      await cgroup.kill('signals');
      rmdirSync(path);
    },
  };
  return cgroup;
}

/** The own cgroup, of version 2 where there is that, otherwise of a hierarchy of version 1, in which this process may make others. */
function writableParent(): Parent | undefined {
  const own = new Map(
    readFileSync('/proc/self/cgroup', 'utf8')
      .trimEnd()
      .split('\n')
      .map((line): [string, string] => {
        const [, names = '', ...path] = line.split(':');
        return [names, path.join(':')];
      }),
  );
  return readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .filter((line) => / - cgroup2? /.test(line))
    .sort((one, other) => Number(other.includes(' - cgroup2 ')) - Number(one.includes(' - cgroup2 ')))
    .map((line) => {
      const place = line.split(' ')[4] ?? '';
      const options = line.split(' ').at(-1)?.split(',') ?? [];
      const names = line.includes(' - cgroup2 ')
        ? ''
        : [...own.keys()].find((one) => one !== '' && one.split(',').every((name) => options.includes(name)));
      return join(place, own.get(names ?? '') ?? '/');
    })
    .flatMap(probed)[0];
}

function probed(path: string): Parent[] {
  const probe = join(path, `sing-test-${process.pid}-probe`);
  try {
    mkdirSync(probe);
    // An ordinary folder has none.
    const is = existsSync(join(probe, 'cgroup.procs'));
    const hasKill = existsSync(join(probe, 'cgroup.kill'));
    rmdirSync(probe);
    return is ? [{ path, hasKill }] : [];
  } catch {
    return [];
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended meanwhile.
  }
}

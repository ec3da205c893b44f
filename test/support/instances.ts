import { chownSync, existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { ordinaryId, runSing, type Ended, type SingOptions } from './containers.js';
import { eventually, processesWith } from './processes.js';

export interface ListedInstance {
  readonly instance: string;
  readonly pid: number;
  readonly img: string;
  readonly ip: string;
  readonly logErrPath: string;
  readonly logOutPath: string;
}

/** Somebody with a home of its own, in which instances are kept. */
export interface InstanceOwner {
  readonly home: string;
  /** The folder of the records: `…/instances/scs/<host>/<user>`. */
  readonly records: string;
  run(words: readonly string[], options?: SingOptions): Promise<Ended>;
  list(): Promise<readonly ListedInstance[]>;
  /** Stops everything and waits until nothing of it is left. */
  leave(): Promise<void>;
}

/** The ordinary user of the tests, or root, with a new home below `folder`. */
export function instanceOwner(folder: string, name: string, as: 'user' | 'root' = 'user'): InstanceOwner {
  const home = join(folder, name);
  mkdirSync(home, { mode: 0o700 });
  const id = as === 'root' ? 0 : ordinaryId();
  if (process.getuid?.() === 0) chownSync(home, id, id);
  const records = join(home, '.singularity/instances/scs', hostname(), as === 'root' ? 'root' : String(id));
  const run = (words: readonly string[], options: SingOptions = {}): Promise<Ended> =>
    runSing(words, { ...options, as, env: { HOME: home, ...options.env } });
  const list = async (): Promise<readonly ListedInstance[]> => {
    const { stdout } = await run(['instance', 'list', '-j']);
    return (JSON.parse(stdout) as { instances: ListedInstance[] }).instances;
  };
  return {
    home,
    records,
    run,
    list,
    async leave() {
      const names = (await list()).map(({ instance }) => instance);
      await run(['instance', 'stop', '-a', '-F']);
      await eventually('nothing of the instances to be left', () => [
        ...names.flatMap((each) =>
          processesWith(`Singularity instance: ${id === 0 ? 'root' : id} [${each}]`),
        ),
        // A lock that several starts share is no instance.
        ...(existsSync(records) ? readdirSync(records).filter((each) => each !== '+lock') : []),
      ]);
    },
  };
}

/** Whether a process is there and not over. */
export function isRunning(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return !['Z', 'X'].includes(stat.slice(stat.lastIndexOf(')') + 2)[0] ?? 'X');
  } catch {
    return false;
  }
}

/** The parent of a process, from a line `PPid:` of its status; 0 for a process that is gone. */
export function parentOf(pid: number): number {
  try {
    return Number(/^PPid:\t(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1] ?? 0);
  } catch {
    return 0;
  }
}

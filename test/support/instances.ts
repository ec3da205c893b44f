import { chownSync, existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest';
import { makeImage, ordinaryId, runSing, type Ended, type SingOptions } from './containers.js';
import { eventually } from './processes.js';
import { temporaryFolder } from './temporary.js';

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
      // By their numbers: other test files have instances of the same user and the same names beside.
      const keepers = (await list()).map(({ pid }) => parentOf(pid)).filter(isKeeper);
      await run(['instance', 'stop', '-a', '-F']);
      await eventually('nothing of the instances to be left', () => [
        ...keepers.filter(isRunning),
        // A lock that several starts share is no instance.
        ...(existsSync(records) ? readdirSync(records).filter((each) => each !== '+lock') : []),
      ]);
    },
  };
}

/** What tests of instances share; there inside tests. */
export interface InstanceScene {
  readonly folder: string;
  /** A directory image. */
  readonly image: string;
  /** Another person in every test. */
  readonly owner: InstanceOwner;
  /** Another one in every test, for names that no other test has. */
  readonly number: number;
}

/**
 * To be called in a block of tests: one folder and one image for all of them, and for each an owner of its own, of whose instances nothing is
 * left behind the test.
 * @param files of the image
 */
export function useInstances(
  files: Readonly<Record<string, string>> = {},
  as: 'user' | 'root' = 'user',
): InstanceScene {
  let current: InstanceOwner | undefined;
  const now = (): InstanceOwner => {
    if (current === undefined) throw new Error('Expected to be inside a test: the owner is made before each');
    return current;
  };
  let remove = async (): Promise<void> => undefined;
  const scene = {
    folder: '',
    image: '',
    number: 0,
    owner: {
      get home() {
        return now().home;
      },
      get records() {
        return now().records;
      },
      run: (...how: Parameters<InstanceOwner['run']>) => now().run(...how),
      list: () => now().list(),
      leave: () => now().leave(),
    },
  };
  beforeAll(async () => {
    ({ path: scene.folder, remove } = await temporaryFolder());
    scene.image = makeImage(scene.folder, files);
  });
  afterAll(() => remove());
  beforeEach(() => {
    scene.number += 1;
    current = instanceOwner(scene.folder, `home-${scene.number}`, as);
  });
  afterEach(() => scene.owner.leave());
  return scene;
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

/** Whether a process keeps an instance. Who kept one of which only process 1 is left is nobody any more, and its parent somebody else. */
function isKeeper(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'latin1') === 'sing-instance\n';
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

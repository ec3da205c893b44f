import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { chmodSync, chownSync, copyFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest';
import { ordinaryId } from './containers.js';
import { commandWithFuse, ENVIRONMENT, type FuseDevice } from './fuse.js';
import { processesWith } from './processes.js';
import { temporaryFolder } from './temporary.js';

/** What tests of image files share; there inside tests. */
export interface ImageFiles {
  readonly folder: string;
  /** The image of all tests. */
  readonly whole: string;
  /** A copy of it for each test: what is kept by file is of this test alone. */
  readonly image: string;
  /** Another one in every test, for names that no other test has. */
  readonly number: number;
  /** The processes that name images of the running test: its own, and those that they left to serve them. */
  processes(): string[];
  /** Makes a folder of the ordinary user, below the folder of all tests. */
  own(name: string, mode?: number): string;
  /** Starts the program as who `device` says, behind the words of `prefix`. Killed behind the test if it has not ended. */
  start(
    device: FuseDevice,
    words: readonly string[],
    environment: Readonly<Record<string, string>>,
    prefix?: readonly string[],
  ): ChildProcessWithoutNullStreams;
}

/**
 * To be called in a block of tests: one folder for all of them, and a copy of an image for each.
 * @param make the image, in the folder
 * @param nothingIsLeft waits until everything that was started is gone: behind each test, or behind the last one, where what one test leaves for a
 *   while is nothing to the others
 */
export function useImageFiles(
  make: (folder: string) => string,
  nothingIsLeft: () => Promise<void>,
  behind: 'each' | 'last' = 'each',
): ImageFiles {
  const running = new Set<ChildProcessWithoutNullStreams>();
  let remove = async (): Promise<void> => undefined;
  const files = {
    folder: '',
    whole: '',
    image: '',
    number: 0,
    processes: () => processesWith(join(files.folder, `image-${files.number}-`)),
    own(name: string, mode = 0o700) {
      const path = join(files.folder, name);
      mkdirSync(path, { recursive: true });
      if (process.getuid?.() === 0) chownSync(path, ordinaryId(), ordinaryId());
      chmodSync(path, mode);
      return path;
    },
    start: (...[device, words, environment, prefix = []]: Parameters<ImageFiles['start']>) => {
      const [program = '', ...args] = [...prefix, ...commandWithFuse(files.folder, device, words)];
      const child = spawn(program, args, { cwd: '/', env: { ...ENVIRONMENT, ...environment } });
      running.add(child);
      child.once('close', () => running.delete(child));
      return child;
    },
  };
  beforeAll(async () => {
    ({ path: files.folder, remove } = await temporaryFolder());
    files.whole = make(files.folder);
  });
  afterAll(async () => {
    if (behind === 'last') await nothingIsLeft();
    await remove();
  });
  beforeEach(() => {
    files.number += 1;
    files.image = join(files.folder, `image-${files.number}-.sqfs`);
    copyFileSync(files.whole, files.image);
  });
  afterEach(async () => {
    for (const child of running) child.kill('SIGKILL');
    if (behind === 'each') await nothingIsLeft();
  });
  return files;
}

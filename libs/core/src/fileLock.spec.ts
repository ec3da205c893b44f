import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { lstat, readdir, readFile, readlink, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { temporaryFolder } from '../../../test/support/temporary.js';
import { withFileLock } from './fileLock.js';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let lock: string;
beforeEach(async () => {
  folder = await temporaryFolder();
  lock = join(folder.path, 'lock');
});
afterEach(() => folder.remove());

describe('withFileLock', () => {
  it('runs one at a time and leaves nothing behind', async () => {
    let inside = 0;
    let most = 0;
    const work = async () => {
      inside += 1;
      most = Math.max(most, inside);
      await new Promise(setImmediate);
      inside -= 1;
    };
    await Promise.all(Array.from({ length: 10 }, () => withFileLock(lock, work)));
    expect(most).toBe(1);
    expect(await readdir(folder.path)).toEqual([]);
  });

  it('is released when the work fails', async () => {
    const failing = withFileLock(lock, () => Promise.reject(new Error('failed')));
    await expect(failing).rejects.toThrow('failed');
    await expect(withFileLock(lock, async () => 'free')).resolves.toBe('free');
  });

  it('gives up after the time with the path of the lock', async () => {
    await withFileLock(lock, async () => {
      const second = withFileLock(lock, async () => 'never', { timeout: 0 });
      await expect(second).rejects.toMatchObject({ code: 'unavailable', reason: 'locked' });
    });
  });

  it('takes over the lock of a process that was killed', async () => {
    const holder = spawn(process.execPath, ['-e', 'console.log(); setInterval(() => {}, 1000)']);
    await once(holder.stdout, 'data');
    const own = await withFileLock(lock, () => readlink(lock));
    const [machine, boot, namespace] = own.split('-');
    const stat = await readFile(`/proc/${holder.pid}/stat`, 'latin1');
    const start = stat.split(') ').at(-1)?.split(' ')[19];
    await symlink([machine, boot, namespace, holder.pid, start].join('-'), lock);
    const refused = withFileLock(lock, async () => 'never', { timeout: 0 });
    await expect(refused).rejects.toMatchObject({ reason: 'locked' });
    holder.kill('SIGKILL');
    await once(holder, 'exit');
    await expect(withFileLock(lock, async () => 'taken')).resolves.toBe('taken');
    expect(await readdir(folder.path)).toEqual([]);
  });

  it.each([
    ['another machine', `${'0'.repeat(16)}-00000000-1-1-1`],
    ['something that is not ours', 'nonsense'],
  ])('never judges a lock of %s', async (_what, holder) => {
    await symlink(holder, lock);
    const work = withFileLock(lock, async () => 'never', { timeout: 0 });
    await expect(work).rejects.toMatchObject({ reason: 'locked' });
    expect((await lstat(lock)).isSymbolicLink()).toBe(true);
  });
});

import { statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { describe, expect, it, vi } from 'vitest';
import { DiskFull, DiskWatch } from './disk-watch.js';
import { reasonOf } from './failure.js';

describe('the watch over the disk of a build', () => {
  it('tells when too little is free', async () => {
    const why = await new Promise<DiskFull>((resolve) => {
      const limits = { diskReserve: Number.MAX_SAFE_INTEGER, diskInterval: 5 };
      const watch = DiskWatch.start(
        tmpdir(),
        (found) => {
          watch.stop();
          resolve(found);
        },
        limits,
      );
    });
    expect(why).toBeInstanceOf(DiskFull);
    expect(reasonOf(why)).toMatchObject({
      isBug: false,
      reason: expect.stringContaining('disk of the builder is nearly full') as unknown,
    });
  });

  it('says nothing while there is room, or about a folder that is not there', async () => {
    const onFull = vi.fn<(why: DiskFull) => void>();
    const { bavail, bsize } = await statfs(tmpdir());
    const looked = Promise.withResolvers<void>();
    let looks = 0;
    const watches = [
      DiskWatch.start(tmpdir(), onFull, { diskReserve: (bavail * bsize) / 2, diskInterval: 2 }),
      DiskWatch.start('/nowhere', onFull, { diskReserve: Number.MAX_SAFE_INTEGER, diskInterval: 2 }),
      // Looks as often as they do, and tells each time.
      DiskWatch.start(tmpdir(), () => (looks += 1) === 5 && looked.resolve(), {
        diskReserve: Number.MAX_SAFE_INTEGER,
        diskInterval: 2,
      }),
    ];
    await looked.promise;
    for (const watch of watches) watch.stop();
    expect(onFull).not.toHaveBeenCalled();
  });
});

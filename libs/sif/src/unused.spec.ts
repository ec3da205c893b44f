import { describe, expect, it } from 'vitest';
import { sifFixture } from '../../../test/support/sif-fixtures.js';
import { ManualClock } from '#libs/core';
import { MemoryAccess } from './access/memory.js';
import { DataType } from './codes.js';
import { createSif } from './create.js';
import { deleteObject } from './delete.js';
import { readSif } from './read.js';
import { unusedBytes } from './unused.js';

const clock = new ManualClock('2026-11-24T12:00:00Z');
const search = async (bytes: Buffer, limit?: number) =>
  unusedBytes(await readSif(new MemoryAccess(bytes)), limit === undefined ? {} : { limit });

describe('unusedBytes', () => {
  it.each(['images/signed.sif', 'images/multi-object.sif', 'images/oci-sif.sif'])(
    'finds nothing in %s',
    async (name) => {
      expect(await search(sifFixture(name))).toEqual({ found: [], unread: 0 });
    },
  );

  it('finds what was written between header and table, into a free descriptor and between objects', async () => {
    const { found } = await search(sifFixture('undetected/gap-data.sif'));
    expect(found.map(({ where }) => where)).toEqual(['header gap', 'free descriptor', 'between objects']);
  });

  it('finds what stands behind the last object', async () => {
    expect((await search(sifFixture('undetected/trailing-data.sif'))).found).toEqual([
      { from: 21800, to: 21937, where: 'behind the objects' },
    ]);
  });

  it('finds one byte at the end of a long stretch, and in every slot', async () => {
    const bytes = Buffer.concat([sifFixture('images/compact.sif'), Buffer.alloc(3_000_001)]);
    bytes[bytes.length - 1] = 1;
    for (let slot = 3; slot < 8; slot += 1) bytes[4096 + slot * 585 + 584] = 1;
    const { found } = await search(bytes);
    expect(found).toHaveLength(6);
    expect(found.at(-1)).toEqual({ from: 20480, to: bytes.length, where: 'behind the objects' });
  });

  it('reads no more than its limit and says how much it did not read', async () => {
    const bytes = Buffer.concat([sifFixture('images/compact.sif'), Buffer.alloc(1_000_000, 1)]);
    const { unread } = await search(bytes, 500_000);
    expect(unread).toBeGreaterThan(500_000);
    const nothing = await search(bytes, 0);
    expect(nothing.found).toEqual([]);
  });

  it('finds the bytes of a deleted object, unless they were overwritten', async () => {
    for (const zero of [false, true]) {
      const access = new MemoryAccess();
      const data = Buffer.from('secret');
      await createSif(access, {
        clock,
        objects: [
          { type: DataType.generic, data },
          { type: DataType.generic, data },
        ],
      });
      await deleteObject(access, 1, { clock, zero });
      const { found } = await unusedBytes(await readSif(access));
      expect(found.map(({ where }) => where)).toEqual(zero ? [] : ['between objects']);
    }
  });
});

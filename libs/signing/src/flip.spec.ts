import { MemoryAccess, readSif } from '#libs/sif';
import { describe, expect, it } from 'vitest';
import { sifFixture } from '../../../test/support/sif-fixtures.js';
import { FIXTURE_CLOCK, sifRing } from '../../../test/support/sif-keys.js';
import { verifyImage } from './verify.js';

/*
 * CVE-2020-13847: header and descriptors were not signed. Every byte of header and table is changed, one at a time; a
 * change that still verifies must lie where signatures cover nothing (SIF contract §2.12), and nowhere else.
 */

const bytes = sifFixture('tampered/base-signed.sif');
const options = { clock: FIXTURE_CLOCK, pgp: [sifRing()] };
const TABLE = 4096;
const SLOT = 585;

/** Fields of the header that nothing covers: arch, times, counts, data offset and size. */
const HEADER_FREE: [number, number][] = [
  [45, 48],
  [64, 88],
  [104, 128],
];
/** Fields of a descriptor that nothing covers: size with padding, modification time; any used byte but 0 counts as 1. */
const OBJECT_FREE: [number, number][] = [
  [4, 5],
  [33, 41],
  [49, 57],
];
/** Of a signature object only link, type, place, size and what its own extra field must say are needed. */
const SIGNATURE_FREE: [number, number][] = [
  [4, 9],
  // The mask of a group number that is none.
  [12, 13],
  [33, 201],
  [201 + 24, 585],
];

const isFree = (ranges: [number, number][], at: number) => ranges.some(([from, to]) => at >= from && at < to);

async function verifiesWith(at: number, bit: number): Promise<boolean> {
  const access = new MemoryAccess(bytes);
  await access.write(Buffer.of((bytes[at] ?? 0) ^ (1 << bit)), at);
  return verifyImage(access, options).then(
    ({ ok }) => ok,
    () => false,
  );
}

/** Positions of [from, to) that verify although one bit of them was changed. */
async function unnoticed(from: number, to: number): Promise<number[]> {
  const found: number[] = [];
  for (let at = from; at < to; at += 1) if (await verifiesWith(at, at % 8)) found.push(at - from);
  return found;
}

describe('one changed bit', () => {
  it('in the header is noticed, but for the fields that are not covered', async () => {
    expect(await verifyImage(new MemoryAccess(bytes), options)).toMatchObject({ ok: true });
    const found = await unnoticed(0, 128);
    expect(found.filter((at) => !isFree(HEADER_FREE, at))).toEqual([]);
  });

  it.each([0, 1, 2])('in the descriptor of object %i is noticed, but for two fields', async (slot) => {
    const found = await unnoticed(TABLE + slot * SLOT, TABLE + (slot + 1) * SLOT);
    expect(found.filter((at) => !isFree(OBJECT_FREE, at))).toEqual([]);
  });

  it('in the descriptor of the signature is noticed where it means something', async () => {
    const found = await unnoticed(TABLE + 3 * SLOT, TABLE + 4 * SLOT);
    expect(found.filter((at) => !isFree(SIGNATURE_FREE, at))).toEqual([]);
  });

  it('in the used byte is noticed when it takes an object away', async () => {
    for (const slot of [0, 1, 2, 3]) expect(await verifiesWith(TABLE + slot * SLOT + 4, 0)).toBe(false);
  });

  it('in the data of any object is noticed', async () => {
    const image = await readSif(new MemoryAccess(bytes));
    for (const { offset, size } of image.descriptors) {
      const [from, to] = [Number(offset), Number(offset + size)];
      const places = [from, from + 1, Math.floor((from + to) / 2), to - 2];
      for (const at of places) expect([at, await verifiesWith(at, 0)]).toEqual([at, false]);
    }
  });
});

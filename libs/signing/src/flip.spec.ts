import { splitClearSigned } from '#libs/pgp';
import { createSif, DataType, MemoryAccess, objectById, PartitionType, type SifImage } from '#libs/sif';
import { beforeAll, describe, expect, it } from 'vitest';
import { sifFixture } from '../../../test/support/sif-fixtures.js';
import { FIXTURE_CLOCK, sifKey, sifRing } from '../../../test/support/sif-keys.js';
import { signImage } from './sign.js';
import { pgpSigner } from './signer.js';
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

async function verifiesWith(at: number, bit: number, original = bytes): Promise<boolean> {
  const access = new MemoryAccess(original);
  await access.write(Buffer.of((original[at] ?? 0) ^ (1 << bit)), at);
  return verifyImage(access, options).then(
    ({ ok }) => ok,
    () => false,
  );
}

/** Positions of [from, to) that verify although one bit of them was changed. */
async function unnoticed(from: number, to: number, original = bytes): Promise<number[]> {
  const found: number[] = [];
  for (let at = from; at < to; at += 1) if (await verifiesWith(at, at % 8, original)) found.push(at - from);
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
});

describe('one changed byte of the data', () => {
  let small: Buffer;
  let image: SifImage;
  beforeAll(async () => {
    const access = new MemoryAccess();
    const partition = { fileSystem: 1, type: PartitionType.primary, architecture: 'amd64' };
    await createSif(access, {
      clock: FIXTURE_CLOCK,
      slots: 4,
      objects: [
        { type: DataType.definition, data: Buffer.from('bootstrap: scratch\n') },
        { type: DataType.json, data: Buffer.from('{"data":{}}'), name: 'inspect-metadata.json' },
        {
          type: DataType.partition,
          data: Buffer.alloc(500, 'data'),
          extra: { kind: 'partition', partition },
        },
      ],
    });
    const signer = pgpSigner({ key: await sifKey('a', 'secret'), clock: FIXTURE_CLOCK });
    image = await signImage(access, { signer, clock: FIXTURE_CLOCK });
    small = access.toBuffer();
  });

  it.each([1, 2, 3])('of object %i is noticed, wherever it is', async (id) => {
    const { offset, size } = objectById(image, id);
    expect(await unnoticed(Number(offset), Number(offset + size), small)).toEqual([]);
  });

  it('of the signature is noticed, but for what is not part of it', async () => {
    const { offset, size } = objectById(image, 4);
    const [from, to] = [Number(offset), Number(offset + size)];
    const text = small.toString('latin1', from, to);
    const hash = text.indexOf('SHA256');
    const free = (await unnoticed(from, to, small)).filter((at) => at < hash || at >= hash + 'SHA256'.length);
    const armor = text.indexOf('\n\n', text.indexOf('-----BEGIN PGP SIGNATURE')) + 2;
    // Line ends are no digits of the armor; three bytes are four digits.
    const byteOf = (at: number) =>
      Math.floor((at - armor - (text.slice(armor, at).match(/\n/g)?.length ?? 0)) * 0.75);
    const signature = splitClearSigned(small.subarray(from, to)).signature;
    // How many bits the RSA value has is said in front of it; where the bytes stay the same it says nothing.
    const bytes = Buffer.from(signature);
    // One value in 256 begins with a zero, and has an octet less.
    const length = [256, 255, 254, 253].find(
      (one) => Math.ceil(bytes.readUInt16BE(bytes.length - one - 2) / 8) === one,
    );
    const value = bytes.length - (length ?? 0);
    expect(free.map(byteOf).filter((at) => at !== value - 1 && at !== value - 2)).toEqual([]);
  });
});

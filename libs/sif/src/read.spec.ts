import { describe, expect, it } from 'vitest';
import {
  expectedImages,
  sifFixture,
  sifFixtureNames,
  type ExpectedImage,
} from '../../../test/support/sif-fixtures.js';
import { MemoryAccess } from './access/memory.js';
import type { ReadAccess } from './access/access.js';
import { declaredEnd, withoutPadding } from './header.js';
import { digestOf, objectProblem, openObject } from './object.js';
import { readSif, type SifImage } from './read.js';

describe('readSif', () => {
  it.each(expectedImages())('reads every field of %s', async (name, expected) => {
    const image = await readSif(new MemoryAccess(sifFixture(name)));
    expect(await factsOf(image)).toEqual(withoutIntegrity(expected));
  });

  it.each([
    ['bad-magic', /invalid SIF magic/],
    ['magic-no-nul', /invalid SIF magic/],
    ['magic-shifted', /invalid SIF magic/],
    ['version-02', /incompatible SIF version/],
    ['version-1-not-padded', /incompatible SIF version/],
    ['empty-file', /unexpected EOF/],
    ['truncated-header', /unexpected EOF/],
    ['doff-beyond-eof', /reading descriptors/],
    ['doff-negative', /reading descriptors/],
    ['doff-zero-overlaps-header', /reading descriptors/],
    ['dsize-negative', /reading descriptors/],
    ['dsize-zero', /reading descriptors/],
    ['dtotal-100M', /Expected 0 to 4096 descriptors, got 100000000/],
    ['dtotal-7-dsize-6', /reading descriptors/],
    ['dtotal-beyond-eof', /reading descriptors/],
    ['dtotal-huge', /reading descriptors/],
    ['dtotal-negative', /reading descriptors/],
  ])('refuses %s', async (name, message) => {
    const access = new CountingAccess(sifFixture(`hostile/${name}.sif`));
    await expect(readSif(access)).rejects.toThrow(message);
    expect(access.largest).toBeLessThanOrEqual(128);
  });

  it('lists every other hostile image and reads no more than header and table', async () => {
    const refused = /bad-magic|magic-|version-|empty-file|truncated-header|doff-|dsize-(neg|zero)|dtotal-/;
    const names = sifFixtureNames('hostile').filter((name) => !refused.test(name));
    expect(names).toHaveLength(59);
    for (const name of names) {
      const access = new CountingAccess(sifFixture(name));
      const image = await readSif(access);
      expect(access.largest).toBeLessThanOrEqual(Math.max(128, image.slots * 585));
    }
  });

  it.each([
    ['object-offset-negative', 1],
    ['object-offset-beyond-eof', 1],
    ['object-offset-size-overflow', 1],
    ['object-size-beyond-eof', 1],
    ['object-size-huge', 1],
    ['object-size-negative', 1],
    ['object-overlaps-header', 1],
    ['object-overlaps-table', 1],
    ['partition-offset-beyond-eof', 3],
    ['partition-size-huge', 3],
    ['partition-size-negative', 3],
    ['truncated-data', 3],
    ['signature-size-huge', 4],
    ['signature-size-negative', 4],
    ['type-negative', 1],
    ['type-zero-but-used', 1],
  ])('refuses to open the broken object of %s, and only that', async (name, broken) => {
    const image = await readSif(new MemoryAccess(sifFixture(`hostile/${name}.sif`)));
    const problems = image.descriptors.filter((one) => objectProblem(image, one) !== undefined);
    expect(problems.map(({ id }) => id)).toEqual([broken]);
    for (const one of problems) expect(() => openObject(image, one)).toThrow(/cannot be used/);
  });

  it('accepts the largest allowed table and refuses one slot more', async () => {
    const header = sifFixture('hostile/ok-compact-table.sif').subarray(0, 128);
    const imageOf = (slots: number) => {
      const bytes = Buffer.alloc(128 + slots * 585);
      header.copy(bytes);
      bytes.writeBigInt64LE(BigInt(slots), 88);
      bytes.writeBigInt64LE(BigInt(slots * 585), 104);
      return new MemoryAccess(bytes);
    };
    await expect(readSif(imageOf(4096))).resolves.toMatchObject({ slots: 4096, descriptors: [] });
    await expect(readSif(imageOf(4097))).rejects.toThrow('Expected 0 to 4096 descriptors, got 4097');
  });
});

class CountingAccess implements ReadAccess {
  readonly #memory: MemoryAccess;
  largest = 0;

  constructor(bytes: Buffer) {
    this.#memory = new MemoryAccess(bytes);
  }

  get size(): number {
    return this.#memory.size;
  }

  readInto(into: Uint8Array, offset: number): Promise<number> {
    this.largest = Math.max(this.largest, into.length);
    return this.#memory.readInto(into, offset);
  }
}

async function factsOf(image: SifImage): Promise<unknown> {
  const { header } = image;
  return {
    launch: withoutPadding(header.launch).toString('latin1'),
    arch: header.arch.toString('latin1', 0, 2),
    uuid: header.id.toString('hex'),
    createdAt: Number(header.createdAt),
    modifiedAt: Number(header.modifiedAt),
    descriptorsFree: Number(header.descriptorsFree),
    descriptorsTotal: Number(header.descriptorsTotal),
    descriptorsOffset: Number(header.descriptorsOffset),
    descriptorsSize: Number(header.descriptorsSize),
    dataOffset: Number(header.dataOffset),
    dataSize: Number(header.dataSize),
    objects: await Promise.all(
      image.descriptors.map(async (one) => ({
        slot: one.slot,
        id: one.id,
        type: one.type,
        groupRaw: one.rawGroup,
        linkRaw: one.rawLink,
        offset: Number(one.offset),
        size: Number(one.size),
        sizeWithPadding: Number(one.sizeWithPadding),
        createdAt: Number(one.createdAt),
        modifiedAt: Number(one.modifiedAt),
        name: withoutPadding(one.name).toString('latin1'),
        extraHex: withoutPadding(one.extra).toString('hex'),
        dataSha256: await digestOf(openObject(image, one)),
      })),
    ),
  };
}

function withoutIntegrity({ parsed }: ExpectedImage): unknown {
  const { headerIntegritySha256: _header, objects, ...header } = parsed;
  return {
    ...header,
    objects: objects.map(({ descriptorIntegritySha256: _descriptor, ...object }) => object),
  };
}

describe('declaredEnd', () => {
  const header = (dataOffset: bigint, dataSize: bigint): Buffer => {
    const bytes = Buffer.from(sifFixture('images/unsigned.sif').subarray(0, 128));
    bytes.writeBigInt64LE(dataOffset, 112);
    bytes.writeBigInt64LE(dataSize, 120);
    return bytes;
  };

  it('is no more than the size of any image that is whole', () => {
    const names = [...sifFixtureNames('images'), ...sifFixtureNames('legacy')];
    for (const name of names.filter((each) => each.endsWith('.sif'))) {
      const bytes = sifFixture(name);
      expect([name, declaredEnd(bytes.subarray(0, 128)) <= bytes.length]).toEqual([name, true]);
    }
    expect(declaredEnd(header(4096n, 10n))).toBe(4106);
  });

  it.each([
    [0n, 10n],
    [-1n, 10n],
    [4096n, -1n],
    [4096n, 2n ** 62n],
  ])('is none of an offset of %i and %i bytes', (offset, size) => {
    expect(() => declaredEnd(header(offset, size))).toThrow(
      expect.objectContaining({ reason: 'sif_invalid_table' }),
    );
  });

  it('is none of what is shorter than a header', () => {
    expect(() => declaredEnd(Buffer.alloc(127))).toThrow(
      expect.objectContaining({ reason: 'sif_invalid_magic' }),
    );
  });
});

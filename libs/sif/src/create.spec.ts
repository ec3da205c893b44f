import { createHash } from 'node:crypto';
import { ManualClock } from '#libs/core';
import { describe, expect, it } from 'vitest';
import { expectedImages, sifFixture } from '../../../test/support/sif-fixtures.js';
import type { RandomAccess } from './access/access.js';
import { MemoryAccess } from './access/memory.js';
import { addObject } from './add.js';
import { DataType, FileSystem, PartitionType } from './codes.js';
import { createSif, newImageId } from './create.js';
import { groupOf, linkOf, nameOf, type Descriptor } from './descriptor.js';
import { messageOf, ociDigestOf, partitionOf, sbomOf, signatureOf, type Extra } from './extra.js';
import type { ObjectInput } from './input.js';
import { withoutPadding } from './header.js';
import { ZERO_TIME } from './layout.js';
import { openObject } from './object.js';
import { isDeterministic, readSif, type SifImage } from './read.js';
import { imageWarnings } from './warnings.js';

const clock = new ManualClock('2026-11-24T12:00:00Z');
const partition = (type: number, architecture = 'amd64'): Extra => ({
  kind: 'partition',
  partition: { fileSystem: FileSystem.squashfs, type, architecture },
});
const root: ObjectInput = {
  type: DataType.partition,
  data: Buffer.alloc(4096, 7),
  extra: partition(PartitionType.primary),
};

describe('createSif and addObject', () => {
  const goldens = expectedImages().filter(
    ([name]) =>
      name.startsWith('images/') || ['tampered/base-signed.sif', 'tampered/overlay-added.sif'].includes(name),
  );

  it.each(goldens)('make the bytes of %s from its objects', async (name) => {
    const bytes = sifFixture(name);
    const original = await readSif(new MemoryAccess(bytes));
    const access = new MemoryAccess();
    await rebuild(original, access, name);
    expect(access.toBuffer().equals(bytes)).toBe(true);
  });

  it('give a random version-4 UUID and the time of the clock', async () => {
    const { header } = await createSif(new MemoryAccess(), { objects: [root], clock });
    expect(header.id.toString('hex')).toMatch(/^.{12}4.{3}[89ab].{15}$/);
    expect(header.createdAt).toBe(1795521600n);
    expect(newImageId()).not.toEqual(newImageId());
  });

  it('keep a deterministic image deterministic', async () => {
    const access = new MemoryAccess();
    await createSif(access, { objects: [root], clock, deterministic: true });
    const { image } = await addObject(access, { type: DataType.generic, data: Buffer.from('x') }, { clock });
    expect(isDeterministic(image.header)).toBe(true);
    expect(image.descriptors.map((one) => one.modifiedAt)).toEqual([ZERO_TIME, ZERO_TIME]);
  });

  it('make images that need no warning', async () => {
    const image = await createSif(new MemoryAccess(), { objects: [root], clock });
    expect(imageWarnings(image)).toEqual([]);
  });

  it('compute the digest of OCI objects', async () => {
    const data = Buffer.from('layer');
    const image = await createSif(new MemoryAccess(), {
      objects: [{ type: DataType.ociBlob, data }],
      clock,
    });
    const digest = createHash('sha256').update(data).digest('hex');
    expect(image.descriptors.map(ociDigestOf)).toEqual([`sha256:${digest}`]);
  });

  it.each<[string, Partial<Parameters<typeof createSif>[1]>, RegExp]>([
    ['a launch script of 32 bytes', { launchScript: 'x'.repeat(32) }, /launch script too large/],
    ['more objects than slots', { slots: 0, objects: [root] }, /insufficient descriptor capacity/],
    ['a table above the limit', { slots: 4097 }, /descriptor capacity not supported/],
    ['a second primary partition', { objects: [root, root] }, /already contains a primary partition/],
    ['a name of 129 bytes', { objects: [{ ...root, name: 'é'.repeat(64) + 'x' }] }, /name value too large/],
    [
      'a group number that runs into the mask',
      { objects: [{ ...root, group: 2 ** 28 }] },
      /invalid group ID/,
    ],
    [
      'an architecture without a code',
      { objects: [{ ...root, extra: partition(PartitionType.primary, 'sparc') }] },
      /unknown architecture: sparc/,
    ],
    [
      'a partition that does not say what it is',
      { objects: [{ type: DataType.partition, data: root.data }] },
      /Expected file system, type and architecture/,
    ],
  ])('refuse %s before anything is written', async (_what, options, message) => {
    const access = new MemoryAccess();
    await expect(createSif(access, { objects: [], clock, ...options })).rejects.toThrow(message);
    expect(access.size).toBe(0);
  });
});

describe('addObject', () => {
  const image = async (objects: ObjectInput[], slots = 4) => {
    const access = new MemoryAccess();
    await createSif(access, { objects, slots, clock });
    return access;
  };
  const small: ObjectInput = { type: DataType.generic, data: Buffer.from('hello') };

  it.each<[string, ObjectInput[], ObjectInput, RegExp]>([
    ['a full table', [small, small, small, small], small, /insufficient descriptor capacity/],
    ['a second primary partition', [root], root, /already contains a primary partition/],
  ])('refuses %s and leaves the image as it was', async (_what, objects, input, message) => {
    const access = await image(objects);
    const before = access.toBuffer();
    await expect(addObject(access, input, { clock })).rejects.toThrow(message);
    expect(access.toBuffer()).toEqual(before);
  });

  it.each(['object-offset-beyond-eof', 'object-size-huge', 'truncated-data', 'dataoff-datasize-garbage'])(
    'does not write into the unsound image %s',
    async (name) => {
      const bytes = sifFixture(`hostile/${name}.sif`);
      const access = new MemoryAccess(bytes);
      await expect(addObject(access, small, { clock })).rejects.toThrow('cannot be changed');
      expect(access.toBuffer()).toEqual(bytes);
    },
  );

  it('repairs a wrong free counter', async () => {
    const access = new MemoryAccess(sifFixture('hostile/dfree-huge.sif'));
    const { image } = await addObject(access, small, { clock });
    expect(image.header.descriptorsFree).toBe(2n);
  });

  it('sets the header architecture with a primary partition', async () => {
    const access = await image([small]);
    const added = await addObject(access, root, { clock });
    expect(added.image.header.arch.toString('latin1')).toBe('02\0');
  });

  it('cuts off what it wrote when the disk is full', async () => {
    const access = await image([small]);
    const before = access.toBuffer();
    const full = fullAfter(access, before.length + 3);
    await expect(addObject(full, small, { clock })).rejects.toThrow('no space');
    expect(access.toBuffer()).toEqual(before);
  });
});

function fullAfter(access: MemoryAccess, limit: number): RandomAccess {
  return {
    get size() {
      return access.size;
    },
    readInto: (into, offset) => access.readInto(into, offset),
    truncate: (size) => access.truncate(size),
    sync: () => access.sync(),
    write: async (data, offset) => {
      if (offset + data.length <= limit) return access.write(data, offset);
      await access.write(data.subarray(0, limit - offset), offset);
      throw new Error('no space');
    },
  };
}

/** Makes an image again from what it holds: the objects of its first time at once, the later ones by adding. */
async function rebuild(original: SifImage, access: MemoryAccess, name: string): Promise<void> {
  const { header } = original;
  const first = original.descriptors.filter((one) => one.createdAt === header.createdAt);
  const later = original.descriptors.filter((one) => one.createdAt !== header.createdAt);
  await createSif(access, {
    objects: first.map((one) => inputOf(original, one, name)),
    clock,
    launchScript: withoutPadding(header.launch).toString('latin1'),
    slots: original.slots,
    id: header.id,
    time: header.createdAt,
  });
  for (const one of later)
    await addObject(access, inputOf(original, one, name), { clock, time: one.createdAt });
}

function inputOf(image: SifImage, one: Descriptor, name: string): ObjectInput {
  const link = linkOf(one);
  const extra = extraOf(one);
  return {
    type: one.type,
    data: openObject(image, one),
    name: nameOf(one),
    group: groupOf(one),
    ...(link === undefined ? {} : { link }),
    ...(extra === undefined ? {} : { extra }),
    // OCI-SIF files are not aligned (SIF contract §5.5); overlays were added with the alignment of their builders.
    ...(name.includes('oci-sif') ? { alignment: 0 } : {}),
  };
}

function extraOf(one: Descriptor): Extra | undefined {
  switch (one.type) {
    case DataType.partition:
      return { kind: 'partition', partition: partitionOf(one) };
    case DataType.signature:
      return { kind: 'signature', signature: signatureOf(one) };
    case DataType.message:
      return { kind: 'message', ...messageOf(one) };
    case DataType.sbom:
      return { kind: 'sbom', format: sbomOf(one) };
    default:
      return undefined;
  }
}

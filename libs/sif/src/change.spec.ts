import { ManualClock } from '#libs/core';
import { describe, expect, it } from 'vitest';
import { sifFixture } from '../../../test/support/sif-fixtures.js';
import { MemoryAccess } from './access/memory.js';
import { addObject } from './add.js';
import { DataType, PartitionType } from './codes.js';
import { createSif } from './create.js';
import { deleteObject } from './delete.js';
import { partitionOf, type Extra } from './extra.js';
import { setPrimary } from './primary.js';
import { readSif } from './read.js';

const clock = new ManualClock('2026-11-24T12:00:00Z');
const partition = (type: number, architecture = 'amd64'): Extra => ({
  kind: 'partition',
  partition: { fileSystem: 1, type, architecture },
});

/** The worked example of SIF contract §1.11: objects of 19, 81 and 4096 bytes at 32176, 32195, 32768. */
async function example(): Promise<MemoryAccess> {
  const access = new MemoryAccess();
  await createSif(access, {
    objects: [
      { type: DataType.definition, data: Buffer.alloc(19, 1) },
      { type: DataType.json, data: Buffer.alloc(81, 2) },
      { type: DataType.partition, data: Buffer.alloc(4096, 3), extra: partition(PartitionType.primary) },
    ],
    clock,
  });
  return access;
}

describe('deleteObject', () => {
  it('leaves the bytes and the data size', async () => {
    const access = await example();
    const image = await deleteObject(access, 3, { clock });
    expect(access.size).toBe(36864);
    expect(image.header).toMatchObject({ dataSize: 4688n, descriptorsFree: 46n });
    expect(image.header.arch.toString('latin1')).toBe('00\0');
    expect(access.toBuffer().subarray(32768)).toEqual(Buffer.alloc(4096, 3));
  });

  it('gives the space at the end back with compact', async () => {
    const access = await example();
    const image = await deleteObject(access, 3, { clock, compact: true });
    expect(access.size).toBe(32276);
    expect(image.header.dataSize).toBe(100n);
  });

  it.each([false, true])('lets the next object take slot and place (compact: %s)', async (compact) => {
    const access = await example();
    await deleteObject(access, 3, { clock, compact });
    const { descriptor } = await addObject(
      access,
      { type: DataType.generic, data: Buffer.from('12345') },
      { clock },
    );
    expect(descriptor).toMatchObject({ id: 3, offset: 32276n, size: 5n });
    expect(access.size).toBe(compact ? 32281 : 36864);
  });

  it('overwrites with zeros when asked', async () => {
    const access = await example();
    await deleteObject(access, 3, { clock, zero: true });
    expect(access.toBuffer().subarray(32768)).toEqual(Buffer.alloc(4096));
  });

  it('does not overwrite bytes that another object shares', async () => {
    const bytes = sifFixture('hostile/objects-overlap.sif');
    const access = new MemoryAccess(bytes);
    const { descriptors } = await readSif(access);
    const shared = descriptors.find(({ id }) => id === 2)?.id ?? 0;
    await expect(deleteObject(access, shared, { clock, zero: true })).rejects.toThrow('shares bytes');
    expect(access.toBuffer()).toEqual(bytes);
  });

  it('refuses an id that is not there', async () => {
    await expect(deleteObject(await example(), 9, { clock })).rejects.toThrow('object not found');
  });

  it('is what siftool wrote', async () => {
    const access = new MemoryAccess(sifFixture('tampered/base-signed.sif'));
    const expected = sifFixture('tampered/object-deleted.sif');
    const time = (await readSif(new MemoryAccess(expected))).header.modifiedAt;
    await deleteObject(access, 2, { clock, time });
    expect(access.toBuffer().equals(expected)).toBe(true);
  });
});

describe('setPrimary', () => {
  const two = async () => {
    const access = await example();
    await addObject(
      access,
      { type: DataType.partition, data: Buffer.alloc(10), extra: partition(PartitionType.system, 'arm64') },
      { clock },
    );
    return access;
  };

  it('moves the mark and the header architecture', async () => {
    const later = new ManualClock('2026-11-25T12:00:00Z');
    const image = await setPrimary(await two(), 4, { clock: later });
    expect(image.descriptors.filter((one) => one.type === DataType.partition).map(partitionOf)).toEqual([
      { fileSystem: 1, type: PartitionType.system, architecture: 'amd64' },
      { fileSystem: 1, type: PartitionType.primary, architecture: 'arm64' },
    ]);
    expect(image.header.arch.toString('latin1')).toBe('04\0');
    expect(new Set(image.descriptors.slice(2).map((one) => one.modifiedAt))).toEqual(
      new Set([image.header.modifiedAt]),
    );
  });

  it('does nothing for the primary partition', async () => {
    const access = await two();
    const before = access.toBuffer();
    await setPrimary(access, 3, { clock: new ManualClock('2026-11-25T12:00:00Z') });
    expect(access.toBuffer()).toEqual(before);
  });

  it.each([
    [1, 'data object not a partition'],
    [5, 'data object not a system partition'],
    [9, 'object not found'],
  ])('refuses object %i', async (id, message) => {
    const access = await two();
    await addObject(
      access,
      { type: DataType.partition, data: Buffer.alloc(10), extra: partition(PartitionType.data) },
      { clock },
    );
    await expect(setPrimary(access, id, { clock })).rejects.toThrow(message);
  });
});

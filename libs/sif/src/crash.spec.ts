import { ManualClock } from '#libs/core';
import { describe, expect, it } from 'vitest';
import { sifFixture } from '../../../test/support/sif-fixtures.js';
import type { RandomAccess } from './access/access.js';
import { MemoryAccess } from './access/memory.js';
import { addObject } from './add.js';
import { DataType, PartitionType } from './codes.js';
import { deleteObject } from './delete.js';
import { isPartitionOfType } from './extra.js';
import { digestOf, openObject } from './object.js';
import { setPrimary } from './primary.js';
import { readSif } from './read.js';

const clock = new ManualClock('2026-11-24T12:00:00Z');
const before = sifFixture('images/signed.sif');
const input = { type: DataType.generic, data: Buffer.from('new object'), name: 'new' };

describe('a crash in the middle of a change', () => {
  it('adding: leaves every old object whole, and the new one whole or absent', async () => {
    const old = await objectsOf(new MemoryAccess(before));
    const whole = `5 ${await digestOf(new MemoryAccess(input.data))}`;
    const finished = new Set<number>();
    for (const state of await crashStates(before, (access) => addObject(access, input, { clock }))) {
      const objects = await objectsOf(state);
      expect(objects.slice(0, old.length)).toEqual(old);
      const added = objects.slice(old.length);
      expect([[], [whole]]).toContainEqual(added);
      finished.add(added.length);
    }
    expect(finished).toEqual(new Set([0, 1]));
  });

  it('adding: can be done again after it', async () => {
    for (const state of await crashStates(before, (access) => addObject(access, input, { clock }))) {
      const { image } = await addObject(state, input, { clock });
      const used = image.descriptors.length;
      expect(image.header.descriptorsFree).toBe(BigInt(image.slots - used));
      const last = image.descriptors[used - 1];
      expect(image.header.dataOffset + image.header.dataSize).toBe((last?.offset ?? 0n) + (last?.size ?? 0n));
    }
  });

  it('deleting with zeros and compaction: leaves the object whole or gone', async () => {
    const old = await objectsOf(new MemoryAccess(before));
    const change = (access: RandomAccess) => deleteObject(access, 2, { clock, zero: true, compact: true });
    const seen = new Set<number>();
    for (const state of await crashStates(before, change)) {
      const objects = await objectsOf(state);
      expect([old, old.filter((one) => !one.startsWith('2 '))]).toContainEqual(objects);
      seen.add(objects.length);
    }
    expect(seen).toEqual(new Set([3, 4]));
  });

  it('setting the primary partition: never leaves two, and the same call finishes it', async () => {
    const access = new MemoryAccess(before);
    await addObject(
      access,
      {
        type: DataType.partition,
        data: Buffer.alloc(2048),
        extra: {
          kind: 'partition',
          partition: { fileSystem: 1, type: PartitionType.system, architecture: 'arm64' },
        },
      },
      { clock },
    );
    const change = (target: RandomAccess) => setPrimary(target, 5, { clock });
    for (const state of await crashStates(access.toBuffer(), change)) {
      expect(await primaries(state)).toHaveProperty(
        'length',
        expect.toSatisfy((count) => count < 2),
      );
      await change(state);
      expect(await primaries(state)).toEqual([5]);
    }
  });
});

async function primaries(access: MemoryAccess): Promise<number[]> {
  const image = await readSif(access);
  return image.descriptors.filter((one) => isPartitionOfType(one, PartitionType.primary)).map(({ id }) => id);
}

async function objectsOf(access: MemoryAccess): Promise<string[]> {
  const image = await readSif(access);
  return Promise.all(
    image.descriptors.map(async (one) => `${one.id} ${await digestOf(openObject(image, one))}`),
  );
}

type Operation = { at: number; data: Buffer } | { truncate: number };

/**
 * What the disk may hold after a power failure: everything up to some `sync`, and of what was written after it any part,
 * in any order, the last piece possibly torn. One header (128 bytes in one sector) and one byte are written whole.
 */
async function crashStates(
  start: Buffer,
  change: (access: RandomAccess) => Promise<unknown>,
): Promise<MemoryAccess[]> {
  const memory = new MemoryAccess(start);
  const epochs: Operation[][] = [[]];
  await change({
    get size() {
      return memory.size;
    },
    readInto: (into, offset) => memory.readInto(into, offset),
    write: async (data, at) => {
      epochs.at(-1)?.push({ at, data: Buffer.from(data) });
      await memory.write(data, at);
    },
    truncate: async (size) => {
      epochs.at(-1)?.push({ truncate: size });
      await memory.truncate(size);
    },
    sync: async () => {
      epochs.push([]);
    },
  });
  const states: MemoryAccess[] = [];
  const settled: Operation[] = [];
  for (const epoch of epochs) {
    for (const subset of subsets(epoch)) {
      states.push(await applied(start, [...settled, ...subset]));
      for (const torn of tornLast(subset)) states.push(await applied(start, [...settled, ...torn]));
    }
    settled.push(...epoch);
  }
  return states;
}

const subsets = (operations: Operation[]): Operation[][] =>
  operations.reduce<Operation[][]>(
    (all, operation) => [...all, ...all.map((subset) => [...subset, operation])],
    [[]],
  );

function tornLast(subset: Operation[]): Operation[][] {
  const last = subset.at(-1);
  if (last === undefined || 'truncate' in last || last.data.length <= 128) return [];
  return [1, 4, 5, 100, 300, last.data.length - 1].map((length) => [
    ...subset.slice(0, -1),
    { at: last.at, data: last.data.subarray(0, length) },
  ]);
}

async function applied(start: Buffer, operations: Operation[]): Promise<MemoryAccess> {
  const access = new MemoryAccess(start);
  for (const operation of operations)
    if ('truncate' in operation) await access.truncate(operation.truncate);
    else await access.write(operation.data, operation.at);
  return access;
}

import { describe, expect, it } from 'vitest';
import { ManualClock } from '#libs/core';
import { sifFixture, sifFixtureNames } from '../../../test/support/sif-fixtures.js';
import { MemoryAccess } from './access/memory.js';
import { DataType } from './codes.js';
import { createSif } from './create.js';
import { readSif } from './read.js';
import {
  groupsOf,
  objectById,
  objectsInGroup,
  objectsLinkedTo,
  objectsOfType,
  openOciObject,
  openPartition,
  rootPartition,
} from './select.js';
import { imageWarnings } from './warnings.js';

const clock = new ManualClock('2026-11-24T12:00:00Z');
const read = async (name: string) => readSif(new MemoryAccess(sifFixture(name)));
const ids = (objects: readonly { id: number }[]) => objects.map(({ id }) => id);

describe('selecting objects', () => {
  it('finds by group, type and link', async () => {
    const image = await read('images/multi-group-signed.sif');
    expect(groupsOf(image)).toEqual([1, 2, 3]);
    expect(ids(objectsInGroup(image, 2))).toEqual([4, 5, 6, 7, 10, 11]);
    expect(ids(objectsInGroup(image, 0))).toEqual([12, 13, 14]);
    expect(ids(objectsOfType(image, DataType.partition))).toEqual([3, 10]);
    expect(ids(objectsLinkedTo(image, 'group', 3))).toEqual([14]);
    expect(ids(objectsLinkedTo(image, 'object', 3))).toEqual([7, 11]);
  });

  it.each([
    ['images/signed.sif', 9, 'object not found'],
    ['images/signed.sif', 0, 'invalid object ID'],
    ['images/signed.sif', -1, 'invalid object ID'],
    ['images/signed.sif', 1.5, 'invalid object ID'],
    ['hostile/id-duplicate.sif', 1, 'multiple objects found'],
    ['hostile/id-zero.sif', 1, 'object not found'],
    ['hostile/zero-capacity-short-file.sif', 1, 'no objects in image'],
  ])('in %s refuses object %i', async (name, id, message) => {
    const image = await read(name);
    expect(() => objectById(image, id)).toThrow(message);
  });
});

describe('rootPartition', () => {
  it('gives file system and the architecture of the partition, not of the header', async () => {
    const root = rootPartition(await read('undetected/header-arch.sif'));
    expect(root).toMatchObject({ fileSystem: 1, architecture: 'amd64' });
    expect(root.descriptor.id).toBe(3);
  });

  it.each([
    ['no-primary-partition', 'no root filesystem found'],
    ['two-primary-partitions', 'no root filesystem found'],
    ['parttype-99', 'no root filesystem found'],
    ['fstype-99', 'unknown filesystem type Unknown'],
    ['fstype-immuobj-primary', 'unknown filesystem type Archive'],
    ['fstype-raw-primary', 'unknown filesystem type Raw'],
    ['primary-smaller-than-2048', 'Expected at least 2048 bytes'],
    ['partition-offset-beyond-eof', 'cannot be used'],
    ['partition-size-negative', 'cannot be used'],
    ['truncated-data', 'cannot be used'],
  ])('refuses %s', async (name, message) => {
    const image = await read(`hostile/${name}.sif`);
    expect(() => rootPartition(image)).toThrow(message);
  });

  it('refuses an overlay that is too short to be one', async () => {
    const image = await read('hostile/overlay-smaller-than-2048.sif');
    expect(() => openPartition(image, objectById(image, 4))).toThrow('Expected at least 2048 bytes');
  });
});

describe('openOciObject', () => {
  it('opens what its digest names', async () => {
    const image = await read('images/oci-sif.sif');
    const sizes = objectsOfType(image, DataType.ociRootIndex).map(async (index) => {
      const { size } = await openOciObject(image, index);
      return size === Number(index.size);
    });
    expect(await Promise.all(sizes)).toEqual([true]);
  });

  it.each([
    ['oci-blob-digest-wrong', /Expected sha256:.* for object 4/],
    ['oci-blob-digest-malformed', /Expected a sha256 digest/],
  ])('refuses %s', async (name, message) => {
    const image = await read(`hostile/${name}.sif`);
    await expect(openOciObject(image, objectById(image, 4))).rejects.toThrow(message);
  });
});

describe('imageWarnings', () => {
  // hostile/README: W is "accept and warn", A is "accept".
  it.each([
    ['dataoff-datasize-garbage', /data section of the header/],
    ['dfree-equals-dtotal', /counts 6 free descriptors, the table has 3/],
    ['dfree-huge', /free descriptors/],
    ['dfree-negative', /free descriptors/],
    ['dsize-larger-than-table', /gives the table/],
    ['group-no-mask', /lacks the usual mask/],
    ['group-partial-mask', /lacks the usual mask/],
    ['group-zero-no-mask', /lacks the usual mask/],
    ['header-arch-garbage', /The header says architecture unknown/],
    ['header-arch-mismatch', /The header says architecture/],
    ['id-max', /where writers put object/],
    ['launch-script-no-nul', /launch script/],
    ['link-dangling', /does not exist/],
    ['link-group-zero', /its link names no group/],
    ['link-partial-mask', /part of the group mask/],
    ['link-self', /linked to itself/],
    ['name-control-and-invalid-utf8', /control characters/],
    ['objects-overlap', /overlap/],
    ['partition-arch-garbage', /architecture of the partition is unknown/],
    ['partition-arch-unknown', /architecture of the partition is unknown/],
    ['sbom-unknown-format', /format of the bill of materials/],
    ['type-unknown', /its data type \d+ is unknown/],
    ['used-0xff', /its used byte is 255/],
    ['id-duplicate', /2 objects have the id/],
    ['id-zero', /the id 0/],
    ['object-size-huge', /cannot be used/],
  ])('tell of %s', async (name, warning) => {
    expect(imageWarnings(await read(`hostile/${name}.sif`)).join('\n')).toMatch(warning);
  });

  // What a signature does not cover but the format itself contradicts.
  it.each([
    ['descriptor-duplicated-same-id', /2 objects have the id 1/],
    ['descriptor-mtime', /Object 3: it was modified before it was created/],
    ['descriptor-size-with-padding', /Object 3: its size with padding 5 does not fit its place/],
    ['descriptor-used-0xff', /Object 1: its used byte is 255/],
    ['foreign-signature-object', /Object 5: it is a signature of nothing/],
    ['group-mask-all-objects', /Object 3: its group number lacks the usual mask/],
    ['header-arch', /The header says architecture arm64, the primary partition amd64/],
    ['header-data-offset-size', /data section of the header/],
    ['header-times', /Object 4 is younger than the time of modification in the header/],
    ['ids-shifted', /Object 11 is in descriptor 1 of the table/],
    ['moved-data', /Object 3: its size with padding 11577 does not fit its place/],
  ])('tell of undetected/%s', async (name, warning) => {
    expect(imageWarnings(await read(`undetected/${name}.sif`)).join('\n')).toMatch(warning);
  });

  it('end for a table of 4096 bad descriptors', async () => {
    const access = new MemoryAccess();
    await createSif(access, { clock, slots: 4096, objects: [] });
    const slot = Buffer.alloc(585, 0x41);
    await access.write(Buffer.concat(Array.from({ length: 4096 }, () => slot)), 4096);
    expect(imageWarnings(await readSif(access)).length).toBeGreaterThan(4096);
  });

  it.each(['hostile/ok-compact-table.sif', 'hostile/group-mask-only.sif', 'hostile/name-no-nul.sif'])(
    'are silent about %s',
    async (name) => {
      expect(imageWarnings(await read(name))).toEqual([]);
    },
  );

  it('are silent about images of the stock tools', async () => {
    const stock = sifFixtureNames('images').filter((name) => !name.endsWith('.gz'));
    for (const name of stock) expect([name, ...imageWarnings(await read(name))]).toEqual([name]);
  });
});

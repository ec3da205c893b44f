import type { ReadAccess } from './access/access.js';
import { DataType, PartitionType, FileSystem, fileSystemName } from './codes.js';
import { groupOf, linkOf, nameOf, type Descriptor } from './descriptor.js';
import { isPartitionOfType, partitionOf, type Partition, ociDigestOf } from './extra.js';
import { notFound, sifError } from './fault.js';
import { LEAST_PARTITION_BYTES } from './limits.js';
import { digestOf, openObject } from './object.js';
import type { SifImage } from './read.js';

/**
 * The one object with this id.
 * @throws DomainError `invalid object ID`, `no objects in image`, `object not found`, `multiple objects found`
 */
export function objectById(image: SifImage, id: number): Descriptor {
  if (!Number.isSafeInteger(id) || id < 1 || id > 0xffffffff)
    throw sifError(
      'sif_invalid_id',
      `invalid object ID: Expected a number above 0${Number.isNaN(id) ? '' : `, got ${id}`}`,
    );
  if (image.descriptors.length === 0) throw notFound('no objects in image');
  const [first, second] = image.descriptors.filter((descriptor) => descriptor.id === id);
  if (first === undefined) throw notFound(`object not found: there is no object ${id} in the image`);
  if (second !== undefined)
    throw sifError('sif_duplicate_id', `multiple objects found: the image has several objects ${id}`);
  return first;
}

/** All objects of a group in table order; group 0 are those that are in none. */
export function objectsInGroup(image: SifImage, group: number): Descriptor[] {
  return image.descriptors.filter((descriptor) => groupOf(descriptor) === group);
}

/** All objects of a type in table order. */
export function objectsOfType(image: SifImage, type: number): Descriptor[] {
  return image.descriptors.filter((descriptor) => descriptor.type === type);
}

/** The object that says what `inspect` shows: "reads it from the section of that name (first match)" (SIF contract §4.2). */
export function inspectMetadata(image: SifImage): Descriptor | undefined {
  return objectsOfType(image, DataType.json).find((each) => nameOf(each) === 'inspect-metadata.json');
}

/** All objects that are linked to an object or group, in table order. */
export function objectsLinkedTo(image: SifImage, kind: 'object' | 'group', id: number): Descriptor[] {
  return image.descriptors.filter((descriptor) => {
    const link = linkOf(descriptor);
    return link !== undefined && link.kind === kind && link.id === id;
  });
}

/** Numbers of all groups, ascending. */
export function groupsOf(image: SifImage): number[] {
  const groups = new Set(image.descriptors.map(groupOf));
  groups.delete(0);
  return [...groups].sort((a, b) => a - b);
}

/** A root file system that was found in an image. */
export interface RootPartition extends Partition {
  readonly descriptor: Descriptor;
}

const ROOT_FILE_SYSTEMS: readonly number[] = [
  FileSystem.squashfs,
  FileSystem.ext3,
  FileSystem.encryptedSquashfs,
  FileSystem.gocryptfsSquashfs,
];

/**
 * The primary partition: the root file system of the container (SIF contract §5.2). Its architecture is the one to
 * trust, not the header's.
 * @throws DomainError `no root filesystem found` when there is none or more than one, when the file system is of a
 * kind that cannot be mounted, or when the partition is cut off
 */
export function rootPartition(image: SifImage): RootPartition {
  const [descriptor, second] = image.descriptors.filter((candidate) =>
    isPartitionOfType(candidate, PartitionType.primary),
  );
  if (descriptor === undefined || second !== undefined)
    throw sifError(
      'sif_no_root_partition',
      `no root filesystem found: Expected one primary partition, got ${second === undefined ? 'none' : 'several'}`,
    );
  const partition = partitionOf(descriptor);
  if (!ROOT_FILE_SYSTEMS.includes(partition.fileSystem))
    throw sifError(
      'sif_unknown_file_system',
      `unknown filesystem type ${fileSystemName(partition.fileSystem)} of the root partition`,
    );
  openPartition(image, descriptor);
  return { descriptor, ...partition };
}

/**
 * The data of a partition that is about to be mounted or unpacked.
 * @throws DomainError when it must not be used or is too short to hold any file system
 */
export function openPartition(image: SifImage, descriptor: Descriptor): ReadAccess {
  const data = openObject(image, descriptor);
  if (data.size < LEAST_PARTITION_BYTES)
    throw sifError(
      'sif_invalid_object',
      `Expected at least ${LEAST_PARTITION_BYTES} bytes for partition ${descriptor.id}, got ${data.size}`,
    );
  return data;
}

/**
 * Data of an OCI object after its digest was compared with the one in its descriptor: nothing else ever compares it.
 * @throws DomainError `sif_digest_mismatch`
 */
export async function openOciObject(image: SifImage, descriptor: Descriptor): Promise<ReadAccess> {
  if (descriptor.type !== DataType.ociBlob && descriptor.type !== DataType.ociRootIndex)
    throw sifError('sif_not_an_oci_object', `object ${descriptor.id} is no OCI object`);
  const data = openObject(image, descriptor);
  const digest = `sha256:${await digestOf(data)}`;
  const claimed = ociDigestOf(descriptor);
  if (digest !== claimed)
    throw sifError('sif_digest_mismatch', `Expected ${claimed} for object ${descriptor.id}, got ${digest}`);
  return data;
}

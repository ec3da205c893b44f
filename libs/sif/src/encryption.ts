import { fileSystemName, isEncrypted, PartitionType } from './codes.js';
import { isPartitionOfType, partitionOf } from './extra.js';
import type { SifImage } from './read.js';

/**
 * The name of the file system of an encrypted root; undefined for one that anybody can read, and for an image without one. "Only
 * the primary partition can be encrypted" (SIF contract §3).
 */
export function rootEncryption(image: SifImage): string | undefined {
  const found = image.descriptors
    .filter((one) => isPartitionOfType(one, PartitionType.primary))
    .map((one) => partitionOf(one).fileSystem)
    .find(isEncrypted);
  return found === undefined ? undefined : fileSystemName(found);
}

import { groupOf, MAGIC, VERSION, type Descriptor, type SifHeader, type SifImage } from '#libs/sif';

/*
 * What a signature covers, byte by byte (SIF contract §2.2). Not covered: of the header arch, times, counts, offsets and
 * sizes; of descriptors id, group, offset, size with padding and modification time.
 */

/** The 61 bytes of the header that are signed: launch script, magic, version, UUID. */
export function headerIntegrityBytes(header: SifHeader): Buffer {
  return Buffer.concat([header.launch, MAGIC, VERSION, header.id]);
}

/**
 * The 557 bytes of a descriptor that are signed.
 * @param relativeId id counted from the smallest of its raw group, see `relativeIdOf`
 */
export function descriptorIntegrityBytes(descriptor: Descriptor, relativeId: number): Buffer {
  const fixed = Buffer.alloc(45);
  fixed.writeInt32LE(descriptor.type, 0);
  // Whatever non-zero byte is stored.
  fixed.writeUInt8(1, 4);
  fixed.writeUInt32LE(relativeId, 5);
  fixed.writeUInt32LE(descriptor.rawLink, 9);
  fixed.writeBigInt64LE(descriptor.size, 13);
  fixed.writeBigInt64LE(descriptor.createdAt, 21);
  fixed.writeBigInt64LE(descriptor.uid, 29);
  fixed.writeBigInt64LE(descriptor.gid, 37);
  return Buffer.concat([fixed, descriptor.name, descriptor.extra]);
}

/** The id of an object counted from the smallest id with the same **raw** group value, modulo 2³² (§1.4). */
export function relativeIdOf(image: SifImage, descriptor: Descriptor): number {
  return (descriptor.id - (smallestIds(image).byRawGroup.get(descriptor.rawGroup) ?? 0)) >>> 0;
}

/** The smallest object id of a group, by its number without the mask: what `relativeId` of signed metadata counts from. */
export function smallestIdOf(image: SifImage, group: number): number {
  return smallestIds(image).byGroup.get(group) ?? 0;
}

interface SmallestIds {
  readonly byRawGroup: ReadonlyMap<number, number>;
  readonly byGroup: ReadonlyMap<number, number>;
}

// Counted once an image: with thousands of objects every look through all of them for each would take seconds.
const counted = new WeakMap<SifImage, SmallestIds>();

function smallestIds(image: SifImage): SmallestIds {
  const known = counted.get(image);
  if (known !== undefined) return known;
  const smallest = {
    byRawGroup: smallestBy(image, ({ rawGroup }) => rawGroup),
    byGroup: smallestBy(image, groupOf),
  };
  counted.set(image, smallest);
  return smallest;
}

function smallestBy(image: SifImage, keyOf: (descriptor: Descriptor) => number): Map<number, number> {
  const smallest = new Map<number, number>();
  for (const descriptor of image.descriptors) {
    const key = keyOf(descriptor);
    smallest.set(key, Math.min(smallest.get(key) ?? descriptor.id, descriptor.id));
  }
  return smallest;
}

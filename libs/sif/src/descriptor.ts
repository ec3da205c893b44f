import { withoutPadding } from './header.js';
import { DESCRIPTOR_SIZE, EXTRA_SIZE, GROUP_MASK, NAME_SIZE, USED_OFFSET } from './layout.js';

/** One used slot of the table, every field as stored (SIF contract §1.3). Numbers are what the file claims: unchecked. */
export interface Descriptor {
  /** Index in the table. */
  readonly slot: number;
  readonly type: number;
  /** Any byte but 0 means used; 1 is what writers write. */
  readonly used: number;
  readonly id: number;
  /** Group number with the mask 0xF0000000: see `groupOf`. */
  readonly rawGroup: number;
  /** Object id, or group number with the mask: see `linkOf`. */
  readonly rawLink: number;
  readonly offset: bigint;
  readonly size: bigint;
  /** Size and the alignment gap in front. Informational. */
  readonly sizeWithPadding: bigint;
  /** Unix seconds. */
  readonly createdAt: bigint;
  readonly modifiedAt: bigint;
  readonly uid: bigint;
  readonly gid: bigint;
  /** 128 bytes, NUL-padded. */
  readonly name: Buffer;
  /** 384 bytes; what they mean depends on the type: see extra.ts. */
  readonly extra: Buffer;
}

/** What an object belongs to: another object, or all objects of a group. */
export interface Link {
  readonly kind: 'object' | 'group';
  readonly id: number;
}

/** Reads one slot of 585 bytes; undefined when it is free. */
export function decodeDescriptor(bytes: Buffer, slot: number): Descriptor | undefined {
  const used = bytes.readUInt8(USED_OFFSET);
  if (used === 0) return undefined;
  return {
    slot,
    type: bytes.readInt32LE(0),
    used,
    id: bytes.readUInt32LE(5),
    rawGroup: bytes.readUInt32LE(9),
    rawLink: bytes.readUInt32LE(13),
    offset: bytes.readBigInt64LE(17),
    size: bytes.readBigInt64LE(25),
    sizeWithPadding: bytes.readBigInt64LE(33),
    createdAt: bytes.readBigInt64LE(41),
    modifiedAt: bytes.readBigInt64LE(49),
    uid: bytes.readBigInt64LE(57),
    gid: bytes.readBigInt64LE(65),
    name: bytes.subarray(73, 73 + NAME_SIZE),
    extra: bytes.subarray(201, 201 + EXTRA_SIZE),
  };
}

/** The 585 bytes of a descriptor. */
export function encodeDescriptor(descriptor: Descriptor): Buffer {
  const bytes = Buffer.alloc(DESCRIPTOR_SIZE);
  bytes.writeInt32LE(descriptor.type, 0);
  bytes.writeUInt8(descriptor.used, USED_OFFSET);
  bytes.writeUInt32LE(descriptor.id, 5);
  bytes.writeUInt32LE(descriptor.rawGroup, 9);
  bytes.writeUInt32LE(descriptor.rawLink, 13);
  bytes.writeBigInt64LE(descriptor.offset, 17);
  bytes.writeBigInt64LE(descriptor.size, 25);
  bytes.writeBigInt64LE(descriptor.sizeWithPadding, 33);
  bytes.writeBigInt64LE(descriptor.createdAt, 41);
  bytes.writeBigInt64LE(descriptor.modifiedAt, 49);
  bytes.writeBigInt64LE(descriptor.uid, 57);
  bytes.writeBigInt64LE(descriptor.gid, 65);
  descriptor.name.copy(bytes, 73);
  descriptor.extra.copy(bytes, 201);
  return bytes;
}

/** The group of an object, 0 when it is in none. */
export function groupOf(descriptor: Pick<Descriptor, 'rawGroup'>): number {
  return (descriptor.rawGroup & ~GROUP_MASK) >>> 0;
}

/**
 * What an object is linked to, or undefined. A link is to a group only when all four top bits are set; number 0 links
 * nowhere, with the bits or without (§1.4). The target need not exist.
 */
export function linkOf(descriptor: Pick<Descriptor, 'rawLink'>): Link | undefined {
  const id = (descriptor.rawLink & ~GROUP_MASK) >>> 0;
  if (id === 0) return undefined;
  return { kind: descriptor.rawLink >>> 28 === 0xf ? 'group' : 'object', id };
}

/** The name as text; bytes that are no UTF-8 become replacement characters. Escape it before it is printed. */
export function nameOf(descriptor: Descriptor): string {
  return withoutPadding(descriptor.name).toString('utf8');
}

import { architectureName } from './codes.js';
import { sifError } from './fault.js';
import { HEADER_SIZE, LAUNCH_SIZE, MAGIC, VERSION } from './layout.js';

/** The global header, every field as stored (SIF contract §1.1). Numbers are what the file claims: unchecked. */
export interface SifHeader {
  /** 32 bytes, NUL-padded. */
  readonly launch: Buffer;
  /** Two digits and NUL: see `headerArchitecture`. */
  readonly arch: Buffer;
  /** 16 bytes, all zero in deterministic images. */
  readonly id: Buffer;
  /** Unix seconds. */
  readonly createdAt: bigint;
  readonly modifiedAt: bigint;
  readonly descriptorsFree: bigint;
  readonly descriptorsTotal: bigint;
  readonly descriptorsOffset: bigint;
  readonly descriptorsSize: bigint;
  readonly dataOffset: bigint;
  readonly dataSize: bigint;
}

/**
 * Reads the 128 bytes of a header. Only magic and version are judged here; `readSif` judges the numbers.
 * @throws DomainError `sif_invalid_magic`, `sif_invalid_version`
 */
export function decodeHeader(bytes: Buffer): SifHeader {
  if (!bytes.subarray(32, 42).equals(MAGIC))
    throw sifError('sif_invalid_magic', 'invalid SIF magic: the file is not a SIF image');
  if (!bytes.subarray(42, 45).equals(VERSION))
    throw sifError('sif_invalid_version', 'incompatible SIF version: Expected version 01 of the format');
  return {
    launch: bytes.subarray(0, LAUNCH_SIZE),
    arch: bytes.subarray(45, 48),
    id: bytes.subarray(48, 64),
    createdAt: bytes.readBigInt64LE(64),
    modifiedAt: bytes.readBigInt64LE(72),
    descriptorsFree: bytes.readBigInt64LE(80),
    descriptorsTotal: bytes.readBigInt64LE(88),
    descriptorsOffset: bytes.readBigInt64LE(96),
    descriptorsSize: bytes.readBigInt64LE(104),
    dataOffset: bytes.readBigInt64LE(112),
    dataSize: bytes.readBigInt64LE(120),
  };
}

/**
 * Where the data of an image ends, as its header says: no file that holds all of it is shorter. For whoever has the beginning of a
 * file only.
 * @param beginning at least the 128 bytes of the header
 * @throws DomainError `sif_invalid_magic`, `sif_invalid_version`, `sif_invalid_table`
 */
export function declaredEnd(beginning: Buffer): number {
  if (beginning.length < HEADER_SIZE)
    throw sifError(
      'sif_invalid_magic',
      `Expected at least ${HEADER_SIZE} bytes for a SIF image, got ${beginning.length}`,
    );
  const header = decodeHeader(beginning.subarray(0, HEADER_SIZE));
  const end = header.dataOffset + header.dataSize;
  if (
    header.dataOffset < BigInt(HEADER_SIZE) ||
    header.dataSize < 0n ||
    end > BigInt(Number.MAX_SAFE_INTEGER)
  )
    throw sifError(
      'sif_invalid_table',
      `Expected data behind the header, got ${header.dataSize} bytes at ${header.dataOffset}`,
    );
  return Number(end);
}

/** The 128 bytes of a header. */
export function encodeHeader(header: SifHeader): Buffer {
  const bytes = Buffer.alloc(HEADER_SIZE);
  header.launch.copy(bytes, 0);
  MAGIC.copy(bytes, 32);
  VERSION.copy(bytes, 42);
  header.arch.copy(bytes, 45);
  header.id.copy(bytes, 48);
  bytes.writeBigInt64LE(header.createdAt, 64);
  bytes.writeBigInt64LE(header.modifiedAt, 72);
  bytes.writeBigInt64LE(header.descriptorsFree, 80);
  bytes.writeBigInt64LE(header.descriptorsTotal, 88);
  bytes.writeBigInt64LE(header.descriptorsOffset, 96);
  bytes.writeBigInt64LE(header.descriptorsSize, 104);
  bytes.writeBigInt64LE(header.dataOffset, 112);
  bytes.writeBigInt64LE(header.dataSize, 120);
  return bytes;
}

/**
 * Go's name of the architecture in the header, `unknown` without a primary partition. It is not signed: show it, but
 * decide by the partition's own.
 */
export function headerArchitecture(header: SifHeader): string {
  return header.arch[2] === 0 ? architectureName(header.arch.toString('latin1', 0, 2)) : 'unknown';
}

/** The header field for an architecture code of two digits. */
export function archField(code: string): Buffer {
  return Buffer.from(`${code}\0`, 'latin1');
}

/** The image's UUID in its usual form. */
export function imageId(header: SifHeader): string {
  return header.id.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

/** Bytes of a NUL-padded field without the padding. An inner NUL stays: it belongs to the value. */
export function withoutPadding(field: Buffer): Buffer {
  let end = field.length;
  while (end > 0 && field[end - 1] === 0) end -= 1;
  return field.subarray(0, end);
}

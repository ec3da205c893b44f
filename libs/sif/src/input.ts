import type { ReadAccess } from './access/access.js';
import { DataType } from './codes.js';
import type { Link } from './descriptor.js';
import { encodeExtra, type Extra } from './extra.js';
import { sifError } from './fault.js';
import { DEFAULT_GROUP, GROUP_MASK, NAME_SIZE, PARTITION_ALIGNMENT } from './layout.js';

/** An object that is to be put into an image. */
export interface ObjectInput {
  /** A number of `DataType`. */
  readonly type: number;
  /** The data; an access is copied in pieces, so its size does not matter. */
  readonly data: Uint8Array | ReadAccess;
  /** At most 128 bytes of UTF-8. */
  readonly name?: string;
  /** 1 by default, 0 for none. */
  readonly group?: number;
  readonly link?: Link;
  /** Bytes; partitions are aligned to 4096 by default, nothing else is (SIF contract §1.8). */
  readonly alignment?: number;
  /** What the type needs to say; the digest of an OCI object is computed while it is written. */
  readonly extra?: Extra;
  /** Unix seconds of both times of the object; the image's time when absent. */
  readonly time?: bigint;
}

/** An input after all its fields were checked: what goes into the descriptor. */
export interface PreparedInput {
  readonly input: ObjectInput;
  readonly name: Buffer;
  readonly extra: Buffer;
  readonly rawGroup: number;
  readonly rawLink: number;
  readonly alignment: number;
}

const GREATEST_NUMBER = GROUP_MASK - 1;

/**
 * Checks everything about an input that can be checked before a byte is written.
 * @throws DomainError `name value too large`, `unknown architecture: …`, `invalid group ID` and the like
 */
export function prepareInput(input: ObjectInput): PreparedInput {
  const name = Buffer.alloc(NAME_SIZE);
  const text = Buffer.from(input.name ?? '', 'utf8');
  if (text.length > NAME_SIZE)
    throw sifError(
      'sif_name_too_large',
      `name value too large: Expected at most ${NAME_SIZE} bytes, got ${text.length}`,
    );
  text.copy(name);
  const isPartition = input.type === DataType.partition;
  if (isPartition !== (input.extra?.kind === 'partition'))
    throw sifError('sif_invalid_input', 'Expected file system, type and architecture with every partition');
  return {
    input,
    name,
    extra: encodeExtra(input.extra),
    rawGroup: (GROUP_MASK | numberIn(input.group ?? DEFAULT_GROUP, 'invalid group ID')) >>> 0,
    rawLink: rawLink(input.link),
    alignment: alignmentOf(input.alignment ?? (isPartition ? PARTITION_ALIGNMENT : 0)),
  };
}

function rawLink(link: Link | undefined): number {
  if (link === undefined) return 0;
  const id = numberIn(link.id, 'invalid link');
  return link.kind === 'group' ? (GROUP_MASK | id) >>> 0 : id;
}

/** Larger numbers would run into the mask and collide with others silently (SIF contract §1.4). */
function numberIn(value: number, what: string): number {
  if (!Number.isSafeInteger(value) || value < 0 || (value & GROUP_MASK) !== 0 || value > GREATEST_NUMBER)
    throw sifError('sif_invalid_id', `${what}: Expected a number below 2^28, got ${value}`);
  return value;
}

function alignmentOf(value: number): number {
  if (!Number.isSafeInteger(value) || value > 2 ** 31 - 1)
    throw sifError('sif_invalid_input', `Expected a number of bytes for the alignment, got ${value}`);
  return Math.max(value, 0);
}

/** The next multiple of `alignment` at or after `offset`; 0 is no alignment. @throws DomainError on overflow */
export function alignedOffset(offset: number, alignment: number): number {
  if (alignment <= 0 || offset % alignment === 0) return offset;
  const aligned = offset + (alignment - (offset % alignment));
  if (!Number.isSafeInteger(aligned))
    throw sifError('sif_invalid_input', 'integer overflow when calculating alignment');
  return aligned;
}

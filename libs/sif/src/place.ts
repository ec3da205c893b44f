import { createHash } from 'node:crypto';
import type { RandomAccess } from './access/access.js';
import { MemoryAccess } from './access/memory.js';
import { DataType } from './codes.js';
import type { Descriptor } from './descriptor.js';
import { encodeExtra } from './extra.js';
import { alignedOffset, type PreparedInput } from './input.js';
import { chunksOf } from './object.js';

/** Where a new object goes. */
export interface Place {
  /** Slot of the table; the id is one more. */
  readonly slot: number;
  /** End of the last object: the next aligned position from here is taken (SIF contract §1.8). */
  readonly dataEnd: number;
  /** Unix seconds for both times, unless the input has its own. */
  readonly time: bigint;
}

/**
 * Writes the data of an object and returns the descriptor that belongs to it. The descriptor itself is not written: until
 * that happens the object does not exist.
 */
export async function writeData(
  access: RandomAccess,
  prepared: PreparedInput,
  place: Place,
  signal?: AbortSignal,
): Promise<Descriptor> {
  const { input, alignment } = prepared;
  const offset = alignedOffset(place.dataEnd, alignment);
  const isOci = input.type === DataType.ociBlob || input.type === DataType.ociRootIndex;
  const hash = isOci ? createHash('sha256') : undefined;
  let size = 0;
  const source = input.data instanceof Uint8Array ? new MemoryAccess(input.data) : input.data;
  for await (const chunk of chunksOf(source, signal)) {
    hash?.update(chunk);
    await access.write(chunk, offset + size);
    size += chunk.length;
  }
  // Without data nothing was written there, and an object that lies behind the end of the file must not be used.
  if (access.size < offset) await access.truncate(offset);
  const time = input.time ?? place.time;
  return {
    slot: place.slot,
    type: input.type,
    used: 1,
    id: place.slot + 1,
    rawGroup: prepared.rawGroup,
    rawLink: prepared.rawLink,
    offset: BigInt(offset),
    size: BigInt(size),
    sizeWithPadding: BigInt(offset - place.dataEnd + size),
    createdAt: time,
    modifiedAt: time,
    uid: 0n,
    gid: 0n,
    name: prepared.name,
    extra:
      hash === undefined
        ? prepared.extra
        : encodeExtra({ kind: 'digest', digest: `sha256:${hash.digest('hex')}` }),
  };
}

/** First byte after a descriptor's object. The descriptor is one that was checked or made here. */
export function endOf(descriptor: Descriptor): number {
  return Number(descriptor.offset + descriptor.size);
}

import { createHash } from 'node:crypto';
import type { BlobReader, BlobStore } from '#libs/blobs';
import { type Digest, digestFromHex, DomainError, systemCode } from '#libs/core';

/** What a blob was found to be. `unreadable`: the disk says that it cannot read it. */
export type BlobReading =
  | { readonly state: 'read'; readonly digest: Digest; readonly size: number }
  | { readonly state: 'unreadable' }
  | { readonly state: 'absent' };

export interface ReadingOptions {
  /** Stops it; what was thrown into the signal is thrown. */
  readonly signal?: AbortSignal | undefined;
  /** Told of so many bytes that were read; the next ones are read when it resolves. */
  readonly onBytes?: ((bytes: number) => Promise<void> | void) | undefined;
}

/** Bytes read and hashed at once: less than a millisecond of the event loop. */
const CHUNK = 1024 * 1024;

/** Hashes the bytes of a blob as they are now. @throws whatever else than the blob is in the way */
export async function readBlob(
  blobs: BlobStore,
  digest: Digest,
  options: ReadingOptions = {},
): Promise<BlobReading> {
  let reader: BlobReader;
  try {
    reader = await blobs.open(digest);
  } catch (error) {
    if (error instanceof DomainError && error.reason === 'blob_not_found') return { state: 'absent' };
    return unreadable(error);
  }
  try {
    return await hashOf(reader, options);
  } catch (error) {
    return unreadable(error);
  } finally {
    await reader.close();
  }
}

async function hashOf(reader: BlobReader, { signal, onBytes }: ReadingOptions): Promise<BlobReading> {
  const hash = createHash('sha256');
  const chunk = Buffer.allocUnsafe(Math.min(CHUNK, Math.max(1, reader.size)));
  let size = 0;
  for (;;) {
    signal?.throwIfAborted();
    const count = await reader.read(chunk, size);
    if (count === 0) return { state: 'read', digest: digestFromHex(hash.digest('hex')), size };
    hash.update(chunk.subarray(0, count));
    size += count;
    await onBytes?.(count);
  }
}

/** A disk that does not give the bytes any more is no failure of the look at them. */
function unreadable(error: unknown): BlobReading {
  const isDisk = systemCode(error) === 'EIO' || (error instanceof DomainError && error.reason === 'EIO');
  if (isDisk) return { state: 'unreadable' };
  throw error;
}

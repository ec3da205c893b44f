import type { Digest } from '#libs/core';
import type { BlobKey, TemporaryKey } from './layout.js';

/**
 * Reads a committed blob. What was opened stays readable until it is closed, also when the blob is removed or replaced meanwhile;
 * where a driver cannot keep it, reading fails. It never gives the bytes of anything else.
 */
export interface BlobReader {
  /** Bytes of the blob. */
  readonly size: number;
  /** Says that the bytes from `start` to `end` (the last one) are read next, one after the other: a driver may ask for them at once. */
  expect?(start: number, end: number): void;
  /** Fills `target` from `position` on; returns how many bytes were read, fewer only at the end. */
  read(target: Buffer, position: number): Promise<number>;
  close(): Promise<void>;
}

/** A piece of bytes that are not committed, written from its beginning to its end. It is over after `keep` or `drop`. */
export interface TemporaryPiece {
  /** Appends all of `chunks`. One call at a time; the chunks may be reused when it resolves. */
  write(chunks: readonly Buffer[]): Promise<void>;
  /** Resolves when the piece is there for whoever opens the bytes next, after a kill of this process too. */
  keep(): Promise<void>;
  /** Gives the piece up: what was written of it may be there or not. Resolves when nothing of it is under way any more. */
  drop(): Promise<void>;
}

/** Bytes that are not committed yet, open for writing at any position. */
export interface TemporaryBlob {
  /** Begins to write at `start`, `length` bytes at most. A piece that is written again has the same beginning. */
  begin(start: number, length: number): TemporaryPiece;
  read(target: Buffer, position: number): Promise<number>;
  /** Bytes up to the highest position that was written. */
  size(): Promise<number>;
  /** Resolves when everything written so far survives a power failure. */
  flush(): Promise<void>;
  close(): Promise<void>;
}

/** What a sweep learns of bytes that are not committed. */
export interface TemporaryListing {
  readonly key: TemporaryKey;
  readonly modifiedAt: Date;
}

/** A committed blob, as a list of all of them says it. */
export interface BlobListing {
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
  /** When its bytes were stored. */
  readonly storedAt: Date;
}

/**
 * A place for blobs. Drivers contain storage code only: what is asked of them has been checked by BlobStore, and what they
 * throw is put into words there.
 */
export interface BlobDriver {
  readonly name: 'file' | 'memory' | 's3';
  /** Bytes of a committed blob, or undefined when there is none. */
  sizeOf(key: BlobKey): Promise<number | undefined>;
  open(key: BlobKey): Promise<BlobReader | undefined>;
  /** Whether there was something to remove. */
  remove(key: BlobKey): Promise<boolean>;
  /** Opens uncommitted bytes, making them when `create` says so; undefined when they are not there. */
  openTemporary(key: TemporaryKey, options: { readonly create: boolean }): Promise<TemporaryBlob | undefined>;
  /**
   * Makes flushed bytes the blob `to`, atomically, and resolves when that survives a power failure. When the blob is there
   * already it stays and the bytes are dropped, unless it has another size or `replace` says that it is damaged: then the bytes
   * take its place, at no moment of which there is no blob. Nobody writes them any more; they may still be open.
   */
  publish(from: TemporaryKey, to: BlobKey, options?: { readonly replace: boolean }): Promise<void>;
  /** Removes uncommitted bytes; silently when there are none. */
  discard(key: TemporaryKey): Promise<void>;
  listTemporaries(): Promise<readonly TemporaryListing[]>;
  /**
   * Committed blobs in the order of their digests, behind `after` (which need not be there any more) or from the first on. Fewer
   * than `limit` only at the end. What else lies in the place is not listed.
   */
  list(after: Digest | undefined, limit: number): Promise<readonly BlobListing[]>;
  /** Bytes that can still be stored, or undefined when nobody knows. */
  freeBytes(): Promise<number | undefined>;
  /** Removes what killed processes have left until `before` that is neither a blob nor uncommitted bytes; for drivers that have such. */
  tidy?(before: Date): Promise<void>;
  /** Rejects when the place cannot be reached, for drivers whose place is elsewhere. */
  ping?(): Promise<void>;
  /** An address from which anybody may read the blob during `seconds`; undefined where the site has not chosen to hand them out. */
  addressOf?(key: BlobKey, seconds: number): Promise<string | undefined>;
}

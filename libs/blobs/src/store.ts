import {
  type Clock,
  type Digest,
  DomainError,
  expected,
  hexOf,
  newObjectId,
  parseDigest,
  systemClock,
} from '#libs/core';
import type { BlobDriver, BlobListing, BlobReader } from './driver.js';
import { inWords } from './failures.js';
import { blobKey, readTemporaryKey, temporaryKey } from './layout.js';
import { BLOB_LIMITS } from './limits.js';
import { BlobWriter } from './streamWriter.js';
import { BlobUpload, checkShape, checkSize, type UploadShape } from './upload.js';

/** Which uncommitted bytes a sweep may remove. */
export interface SweepOptions {
  /** Whether the owner of an upload still wants it. */
  readonly isAlive: (uploadId: string) => Promise<boolean>;
  /** Only bytes that were last written before: others on the same store may be at work. */
  readonly before?: Date;
}

/** Bytes that are not a blob yet. */
export interface IncomingBytes {
  readonly kind: 'upload' | 'stream';
  /** Of the upload. */
  readonly id: string;
  readonly modifiedAt: Date;
  readonly active: boolean;
}

/**
 * The blobs of one service, by what they contain: equal content is stored once. Checks everything once around every driver:
 * digests, ids, sizes, positions, hashes; what drivers throw comes out in words.
 */
export class BlobStore {
  readonly #driver: BlobDriver;
  readonly #clock: Clock;
  readonly #uploads = new Map<string, BlobUpload>();
  readonly #streams = new Set<string>();

  constructor(driver: BlobDriver, clock: Clock = systemClock) {
    this.#driver = driver;
    this.#clock = clock;
  }

  get driver(): BlobDriver['name'] {
    return this.#driver.name;
  }

  /** Bytes of a committed blob; undefined when there is none. */
  async sizeOf(digest: Digest): Promise<number | undefined> {
    const key = blobKey(parseDigest(digest));
    return this.#run(() => this.#driver.sizeOf(key));
  }

  /** @throws DomainError `not_found` when there is no such blob */
  async open(digest: Digest): Promise<BlobReader> {
    const key = blobKey(parseDigest(digest));
    const reader = await this.#run(() => this.#driver.open(key));
    if (!reader) throw blobNotFound(digest);
    return reader;
  }

  /** Removes a committed blob; whoever reads it goes on. Says whether there was one. */
  async remove(digest: Digest): Promise<boolean> {
    const key = blobKey(parseDigest(digest));
    return this.#run(() => this.#driver.remove(key));
  }

  /** Blobs in the order of their digests: those behind `after`, fewer than `limit` only at the end. For whoever looks at all of them. */
  async list(after: Digest | undefined, limit: number): Promise<readonly BlobListing[]> {
    const from = after === undefined ? undefined : parseDigest(after);
    if (!Number.isSafeInteger(limit) || limit < 1 || limit > BLOB_LIMITS.listed)
      throw new RangeError(expected(`1 to ${BLOB_LIMITS.listed}`, 'the limit of a list', limit));
    return this.#run(() => this.#driver.list(from, limit));
  }

  /** Begins a blob that arrives in one stream; `limit` bytes at most. @throws DomainError `out_of_space` */
  async write(options: { readonly limit: number }): Promise<BlobWriter> {
    const id = newObjectId();
    const key = temporaryKey('stream', id);
    this.#streams.add(id);
    try {
      const file = await this.#run(() => this.#driver.openTemporary(key, { create: true }));
      if (!file) throw new Error(`The blob driver "${this.driver}" made no temporary file`);
      const limit = Math.min(options.limit, BLOB_LIMITS.blobBytes);
      return new BlobWriter({
        driver: this.#driver,
        key,
        file,
        limit,
        onEnd: () => this.#streams.delete(id),
      });
    } catch (error) {
      this.#streams.delete(id);
      throw error;
    }
  }

  /**
   * The upload of this shape: the one under way in this process, or one that goes on with the bytes that are there.
   * @throws DomainError `bad_request` or `too_large` for a shape that cannot be stored
   */
  upload(shape: UploadShape): BlobUpload {
    const checked = checkShape(shape);
    const known = this.#uploads.get(shape.id);
    if (known) return known;
    const upload = new BlobUpload(checked, this.#driver, () => this.#uploads.delete(shape.id));
    this.#uploads.set(shape.id, upload);
    return upload;
  }

  /** Whether bytes of this upload are arriving at this moment. */
  isActive(uploadId: string): boolean {
    return this.#uploads.get(uploadId)?.active ?? false;
  }

  /**
   * Asks whether `size` more bytes fit, so that an upload is refused before it is sent and not after.
   * @throws DomainError `too_large` for more than a blob can have, `out_of_space`
   */
  async checkSpace(size: number): Promise<void> {
    checkSize(size);
    const free = await this.#run(() => this.#driver.freeBytes());
    if (free === undefined || free - BLOB_LIMITS.reserveBytes >= size) return;
    throw new DomainError('out_of_space', `The blob store has no space left for ${size} bytes`, {
      reason: 'out_of_space',
      remedy: 'Delete images that nobody needs, or ask the operator for a larger disk.',
    });
  }

  /**
   * An address from which anybody may read the blob during `seconds`, past this process; undefined where the store hands out none.
   * @throws DomainError `not_found` when there is no such blob
   */
  async addressOf(digest: Digest, seconds: number): Promise<string | undefined> {
    const driver = this.#driver;
    if (driver.addressOf === undefined) return undefined;
    const key = blobKey(parseDigest(digest));
    const address = await this.#run(async () => driver.addressOf?.(key, seconds));
    // Whoever follows it writes what comes into the image, errors too: there has to be something.
    if (address !== undefined && (await this.sizeOf(digest)) === undefined) throw blobNotFound(digest);
    return address;
  }

  /** @throws DomainError `unavailable` when the place of the blobs cannot be reached */
  async ping(): Promise<void> {
    await this.#run(async () => this.#driver.ping?.());
  }

  /** Bytes that are not committed. `active`: this process is at work on them. */
  async incoming(): Promise<readonly IncomingBytes[]> {
    const listings = await this.#run(() => this.#driver.listTemporaries());
    return listings.flatMap(({ key, modifiedAt }) => {
      const known = readTemporaryKey(key);
      if (!known) return [];
      const { kind, id } = known;
      const active = kind === 'stream' ? this.#streams.has(id) : this.isActive(id);
      return [{ kind, id, modifiedAt, active }];
    });
  }

  /** Removes the bytes of uploads that nobody wants any more; says how many. Anything under way here stays. */
  async sweep(options: SweepOptions): Promise<number> {
    const before = options.before ?? this.#clock.now();
    await this.#run(async () => this.#driver.tidy?.(before));
    let removed = 0;
    for (const { key, modifiedAt } of await this.#run(() => this.#driver.listTemporaries())) {
      const known = readTemporaryKey(key);
      if (!known || modifiedAt > before) continue;
      const { kind, id } = known;
      if (kind === 'stream' ? this.#streams.has(id) : this.isActive(id) || (await options.isAlive(id)))
        continue;
      if (kind === 'upload' && this.#uploads.has(id)) await this.#uploads.get(id)?.cancel();
      else await this.#run(() => this.#driver.discard(key));
      removed += 1;
    }
    return removed;
  }

  #run<T>(action: () => Promise<T>): Promise<T> {
    return inWords(this.#driver.name, action);
  }
}

function blobNotFound(digest: Digest): DomainError {
  return new DomainError('not_found', `The blob ${hexOf(digest)} is not in the store`, {
    reason: 'blob_not_found',
  });
}

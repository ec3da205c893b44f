import { type Digest, digestFromHex, DomainError, expected } from '#libs/core';
import type { BlobDriver, BlobReader, TemporaryBlob } from './driver.js';
import { inWords } from './failures.js';
import { blobKey, temporaryKey } from './layout.js';
import { BLOB_LIMITS } from './limits.js';
import { type PartPlace, PartWriter, wrongLength } from './partWriter.js';
import { RollingHash } from './rollingHash.js';

/** What an upload is; whoever owns it remembers this in a document, so that it survives a restart. */
export interface UploadShape {
  /** Letters and digits; unique. */
  readonly id: string;
  /** Bytes of the whole blob. */
  readonly size: number;
  /** Bytes of every part but the last. Equal to `size` (or 1 for an empty blob) for an upload in one piece. */
  readonly partSize: number;
}

/** How many parts an upload has: at least one, also when it is empty. */
export function partCount({ size, partSize }: Pick<UploadShape, 'size' | 'partSize'>): number {
  return Math.max(1, Math.ceil(size / partSize));
}

/**
 * A blob that arrives in parts, in any order, several at once, each perhaps more than once. Its bytes are invisible until
 * `commit` has seen that they hash to what was promised. Every other path ends in `cancel`.
 * Which parts have arrived is for the owner to remember: the hash over everything tells the truth in the end.
 */
export class BlobUpload {
  readonly shape: UploadShape;
  readonly #driver: BlobDriver;
  readonly #writers = new Map<number, PartWriter>();
  readonly #onEnd: () => void;
  #hash = new RollingHash();
  /** What the bytes were found to be; unknown again as soon as more of them arrive. */
  #verified: Digest | undefined;
  #file: Promise<TemporaryBlob> | undefined;
  #clearing: Promise<void> | undefined;
  #users = 0;
  /** Sealed while the whole is looked at; it opens again when that fails. */
  #state: 'open' | 'sealed' | 'ended' = 'open';

  /** @internal Made by BlobStore, which has checked the shape. */
  constructor(shape: UploadShape, driver: BlobDriver, onEnd: () => void) {
    this.shape = shape;
    this.#driver = driver;
    this.#onEnd = onEnd;
  }

  /** Whether a part is being written right now. */
  get active(): boolean {
    return this.#writers.size > 0;
  }

  /**
   * Begins to write a part, numbered from 1. Whoever was still writing the same part is stopped first.
   * @throws DomainError `bad_request` for a number outside, `conflict` when the upload is being committed or has ended
   */
  async beginPart(number: number): Promise<PartWriter> {
    const place = this.#placeOf(number);
    this.#throwIfSealed();
    const file = await this.#acquire({ create: true });
    try {
      for (let earlier = this.#writers.get(number); earlier; earlier = this.#writers.get(number))
        await earlier.cancel();
      this.#throwIfSealed();
    } catch (error) {
      await this.#release();
      // It ended while the file was opened, and whoever ended it found none: what was just made is removed.
      if (this.#state === 'ended') await this.#run(() => this.#driver.discard(this.#key));
      throw error;
    }
    this.#verified = undefined;
    const writer = new PartWriter({
      file,
      hash: this.#hash.follow(place.start, place.length),
      place,
      release: async () => {
        this.#writers.delete(number);
        await this.#release();
      },
      run: (action) => this.#run(action),
    });
    this.#writers.set(number, writer);
    return writer;
  }

  /**
   * Whether all bytes are there and hash to `digest`.
   * @throws DomainError `unprocessable` when they do not, `gone` when the bytes are not there any more
   */
  async verify(digest: Digest): Promise<void> {
    await this.#whileSealed(() => this.#check(digest));
  }

  /**
   * Keeps the file of the bytes open while something is done with them, so that every step need not open it anew. Where
   * there is no file the steps say so.
   */
  async keepOpen<T>(action: () => Promise<T>): Promise<T> {
    const opened = await this.#acquire({ create: false }).catch(() => undefined);
    try {
      return await action();
    } finally {
      if (opened) await this.#release();
    }
  }

  /** Whether there are bytes that are not committed. */
  async isPresent(): Promise<boolean> {
    try {
      await this.#using(() => Promise.resolve());
      return true;
    } catch (error) {
      if (error instanceof DomainError && error.reason === 'upload_gone') return false;
      throw error;
    }
  }

  /** Reads from the bytes that have arrived, for looking at them before they are committed. */
  async read<T>(use: (source: Pick<BlobReader, 'read' | 'size'>) => Promise<T>): Promise<T> {
    const { size } = this.shape;
    return this.#using((file) => use({ size, read: (target, at) => this.#run(() => file.read(target, at)) }));
  }

  /**
   * Makes the bytes the blob `digest`, durably. Parts still under way are stopped. When it throws, nothing is visible and
   * the upload can be committed again or cancelled.
   * @param options `replace`: also when there is a blob of this digest and size, because that one is damaged
   * @throws DomainError `unprocessable` when length or hash are wrong, `gone`, `out_of_space`
   */
  async commit(digest: Digest, options: { readonly replace: boolean } = { replace: false }): Promise<void> {
    await this.#whileSealed(async () => {
      await this.#check(digest);
      await this.#using((file) => file.flush());
      await this.#run(() => this.#driver.publish(this.#key, blobKey(digest), options));
      this.#state = 'ended';
      this.#onEnd();
    });
  }

  /** Stops every part and removes the bytes. Idempotent. */
  async cancel(): Promise<void> {
    this.#state = 'ended';
    await Promise.all([...this.#writers.values()].map((writer) => writer.cancel()));
    await this.#run(() => this.#driver.discard(this.#key));
    this.#onEnd();
  }

  /**
   * Removes the bytes unless a part is being written; the upload stays open and can begin again. For an upload whose only
   * part was cut off: nothing of it is worth keeping.
   */
  async rewind(): Promise<void> {
    if (this.#users > 0 || this.#state !== 'open') return;
    this.#hash = new RollingHash();
    this.#verified = undefined;
    this.#clearing = this.#run(() => this.#driver.discard(this.#key)).finally(
      () => (this.#clearing = undefined),
    );
    await this.#clearing;
  }

  async #check(digest: Digest): Promise<void> {
    await Promise.all([...this.#writers.values()].map((writer) => writer.cancel()));
    if (this.#verified === digest) return;
    await this.#using(async (file) => {
      const size = await file.size();
      if (size !== this.shape.size) throw wrongLength(this.shape.size, size);
      const found = digestFromHex(await this.#hash.finish(size, (target, at) => file.read(target, at)));
      if (found !== digest)
        throw new DomainError('unprocessable', expected(digest, 'the hash of the uploaded bytes', found), {
          reason: 'wrong_digest',
        });
      this.#verified = digest;
    });
  }

  get #key() {
    return temporaryKey('upload', this.shape.id);
  }

  #placeOf(number: number): PartPlace {
    const count = partCount(this.shape);
    if (!Number.isSafeInteger(number) || number < 1 || number > count)
      throw new DomainError('bad_request', expected(`1 to ${count}`, 'the part number', number), {
        reason: 'invalid_part_number',
      });
    const start = (number - 1) * this.shape.partSize;
    return { start, length: Math.min(this.shape.partSize, this.shape.size - start) };
  }

  #throwIfSealed(): void {
    if (this.#state !== 'open')
      throw new DomainError('conflict', 'The upload has ended', { reason: 'upload_closed' });
  }

  /** No part can begin while the whole is looked at. */
  async #whileSealed(action: () => Promise<void>): Promise<void> {
    this.#throwIfSealed();
    this.#state = 'sealed';
    try {
      await action();
    } finally {
      if (this.#state === 'sealed') this.#state = 'open';
    }
  }

  async #using<T>(action: (file: TemporaryBlob) => Promise<T>): Promise<T> {
    const file = await this.#acquire({ create: false });
    try {
      return await this.#run(() => action(file));
    } finally {
      await this.#release();
    }
  }

  /** The open file, shared by everybody who uses it at the same time. Every success is paired with a release. */
  async #acquire(options: { create: boolean }): Promise<TemporaryBlob> {
    this.#users += 1;
    try {
      await this.#clearing;
      this.#file ??= this.#open(options).catch((error: unknown) => {
        this.#file = undefined;
        throw error;
      });
      return await this.#file;
    } catch (error) {
      this.#users -= 1;
      throw error;
    }
  }

  async #release(): Promise<void> {
    this.#users -= 1;
    if (this.#users > 0) return;
    const file = this.#file;
    this.#file = undefined;
    await (await file)?.close();
  }

  async #open(options: { create: boolean }): Promise<TemporaryBlob> {
    const file = await this.#run(() => this.#driver.openTemporary(this.#key, options));
    if (!file)
      throw new DomainError(
        'gone',
        'The bytes of the upload are not there: it took too long or never began',
        {
          reason: 'upload_gone',
          remedy: 'Push again.',
        },
      );
    return file;
  }

  #run<T>(action: () => Promise<T>): Promise<T> {
    return inWords(this.#driver.name, action);
  }
}

/** @throws DomainError `bad_request` or `too_large` for a shape that cannot be stored */
export function checkShape({ id, size, partSize }: UploadShape): UploadShape {
  checkSize(size);
  if (!Number.isSafeInteger(partSize) || partSize < 1)
    throw new DomainError('bad_request', expected('a positive length in bytes', 'a part', partSize));
  const count = partCount({ size, partSize });
  if (count > BLOB_LIMITS.parts)
    throw new DomainError('too_large', expected(`at most ${BLOB_LIMITS.parts} parts`, 'the upload', count));
  temporaryKey('upload', id);
  return { id, size, partSize };
}

/** @throws DomainError `bad_request` or `too_large` for a length that no blob can have */
export function checkSize(size: number): void {
  if (!Number.isSafeInteger(size) || size < 0)
    throw new DomainError('bad_request', expected('a length in bytes', 'the upload', size));
  if (size > BLOB_LIMITS.blobBytes)
    throw new DomainError(
      'too_large',
      expected(`at most ${BLOB_LIMITS.blobBytes} bytes`, 'the upload', size),
    );
}

import { type Digest, digestFromHex, DomainError, expected } from '#libs/core';
import { createHash } from 'node:crypto';
import type { BlobDriver, TemporaryBlob, TemporaryPiece } from './driver.js';
import { inWords } from './failures.js';
import { blobKey, type TemporaryKey } from './layout.js';

/**
 * Writes one blob from its beginning to its end. Nothing is visible before `commit`; every other path ends in `cancel`.
 * Only this process knows of it: a restart removes what it wrote.
 */
export class BlobWriter {
  readonly #driver: BlobDriver;
  readonly #key: TemporaryKey;
  readonly #file: TemporaryBlob;
  readonly #piece: TemporaryPiece;
  readonly #limit: number;
  readonly #onEnd: () => void;
  readonly #hash = createHash('sha256');
  #size = 0;
  #over = false;

  /** @internal Made by BlobStore. */
  constructor(options: {
    driver: BlobDriver;
    key: TemporaryKey;
    file: TemporaryBlob;
    limit: number;
    onEnd: () => void;
  }) {
    this.#driver = options.driver;
    this.#key = options.key;
    this.#file = options.file;
    this.#piece = options.file.begin(0, options.limit);
    this.#limit = options.limit;
    this.#onEnd = options.onEnd;
  }

  /** Bytes written so far. */
  get size(): number {
    return this.#size;
  }

  /**
   * Appends and hashes. One call at a time; the chunks may be reused when it resolves. After a failure it is cancelled.
   * @throws DomainError `too_large` beyond the limit, `out_of_space`
   */
  async write(chunks: readonly Buffer[]): Promise<void> {
    this.#throwIfOver();
    const bytes = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
    try {
      if (this.#size + bytes > this.#limit)
        throw new DomainError(
          'too_large',
          expected(`at most ${this.#limit} bytes`, 'the upload', this.#size + bytes),
        );
      const writing = inWords(this.#driver.name, () => this.#piece.write(chunks));
      for (const chunk of chunks) this.#hash.update(chunk);
      await writing;
    } catch (error) {
      await this.cancel();
      throw error;
    }
    this.#size += bytes;
  }

  /**
   * Makes what was written a blob, durably, and says which. After a failure it is cancelled.
   * @throws DomainError `unprocessable` when it is not what was wanted, `out_of_space`
   */
  async commit(
    wanted: { readonly digest?: Digest; readonly size?: number } = {},
  ): Promise<{ digest: Digest; size: number }> {
    this.#throwIfOver();
    const digest = digestFromHex(this.#hash.digest('hex'));
    const size = this.#size;
    try {
      if (wanted.size !== undefined && wanted.size !== size)
        throw new DomainError(
          'unprocessable',
          expected(`${wanted.size} bytes`, 'the length of the upload', size),
          {
            reason: 'wrong_length',
          },
        );
      if (wanted.digest !== undefined && wanted.digest !== digest)
        throw new DomainError(
          'unprocessable',
          expected(wanted.digest, 'the hash of the uploaded bytes', digest),
          {
            reason: 'wrong_digest',
          },
        );
      await inWords(this.#driver.name, async () => {
        await this.#piece.keep();
        await this.#file.flush();
        await this.#file.close();
        await this.#driver.publish(this.#key, blobKey(digest));
      });
    } catch (error) {
      await this.cancel();
      throw error;
    }
    this.#over = true;
    this.#onEnd();
    return { digest, size };
  }

  /** Removes what was written. Idempotent. */
  async cancel(): Promise<void> {
    if (this.#over) return;
    this.#over = true;
    await this.#piece.drop().catch(() => undefined);
    await this.#file.close();
    await inWords(this.#driver.name, () => this.#driver.discard(this.#key));
    this.#onEnd();
  }

  #throwIfOver(): void {
    if (this.#over) throw new DomainError('conflict', 'The upload has ended', { reason: 'upload_closed' });
  }
}

import { DomainError } from '#libs/core';
import type { TemporaryBlob, TemporaryPiece } from '../driver.js';
import type { TemporaryKey } from '../layout.js';
import { pieceKey, sizeOfPieces, startOf, type StoredPiece, storedKey } from './pieces.js';
import type { S3Space } from './space.js';
import { S3Stream } from './stream.js';
import { type BegunUploads, S3Writer } from './writer.js';

/**
 * Bytes that are not committed: an object for each piece that was kept, below a key of their own. What this process has kept is
 * remembered by its ETag, so that bytes that somebody changed behind the hash are not taken for those that were hashed.
 */
export class S3Temporary implements TemporaryBlob {
  readonly #space: S3Space;
  readonly #begun: BegunUploads;
  readonly #folder: TemporaryKey;
  readonly #kept = new Map<number, string>();
  #pieces: readonly StoredPiece[] | undefined;
  #stream: S3Stream | undefined;
  #reading: Promise<unknown> = Promise.resolve();

  constructor(space: S3Space, begun: BegunUploads, folder: TemporaryKey) {
    this.#space = space;
    this.#begun = begun;
    this.#folder = folder;
  }

  /** Asks the store which pieces there are; none, when a blob was made of them. */
  async look(): Promise<readonly StoredPiece[]> {
    const found: StoredPiece[] = [];
    let stored = false;
    for await (const { key, size, etag } of this.#space.list(`${this.#folder}/`)) {
      const start = startOf(key);
      if (start !== undefined) found.push({ key, size, etag, start });
      else if (key === storedKey(this.#folder)) stored = true;
    }
    this.#pieces = stored ? [] : found;
    return this.#pieces;
  }

  begin(start: number, length: number): TemporaryPiece {
    const writer = new S3Writer(this.#space, this.#begun, pieceKey(this.#folder, start), length);
    return {
      write: (chunks) => writer.write(chunks),
      keep: async () => {
        const { etag } = await writer.keep();
        this.#kept.set(start, etag);
        this.#forgetPieces();
      },
      drop: () => writer.drop(),
    };
  }

  async size(): Promise<number> {
    return sizeOfPieces(await this.pieces());
  }

  /**
   * The pieces, by their places.
   * @throws DomainError `unprocessable` when one is another one than this process has kept
   */
  async pieces(): Promise<readonly StoredPiece[]> {
    const pieces = this.#pieces ?? (await this.look());
    for (const [start, etag] of this.#kept)
      if (pieces.find((piece) => piece.start === start)?.etag !== etag) throw changed();
    return pieces;
  }

  async read(target: Buffer, position: number): Promise<number> {
    const mine = this.#reading.then(() => this.#read(target, position));
    this.#reading = mine.catch(() => undefined);
    return mine;
  }

  async flush(): Promise<void> {
    // What was kept is durable already.
  }

  async close(): Promise<void> {
    await this.#reading;
    this.#forgetPieces();
  }

  async #read(target: Buffer, position: number): Promise<number> {
    const pieces = await this.pieces();
    let filled = 0;
    while (filled < target.length) {
      const at = position + filled;
      const piece = pieces.find(({ start, size }) => at >= start && at < start + size);
      if (!piece) break;
      if (this.#stream?.object !== piece) {
        this.#stream?.close();
        this.#stream = new S3Stream(this.#space, piece);
      }
      filled += await this.#stream.read(target.subarray(filled), at - piece.start);
    }
    return filled;
  }

  #forgetPieces(): void {
    this.#pieces = undefined;
    this.#stream?.close();
    this.#stream = undefined;
  }
}

/** The error of bytes that are not those that were hashed: the hash says nothing about them. */
export function changed(): DomainError {
  return new DomainError('unprocessable', 'The bytes of the upload were changed after they had arrived', {
    reason: 'wrong_digest',
    remedy: 'Push again.',
  });
}

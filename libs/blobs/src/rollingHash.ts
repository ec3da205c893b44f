import { createHash, type Hash } from 'node:crypto';

/** The hash of what one writer appends, taken back when the writer gives up. */
export interface LiveHash {
  update(chunks: readonly Buffer[]): void;
  /** Everything was written: the hash covers it from now on. */
  keep(): void;
  /** Nothing of it counts. */
  revert(): void;
}

/**
 * SHA-256 of the beginning of a file that several writers fill in any order. The bytes of the writer that continues exactly
 * where the hash stands are hashed as they pass; the others are left for reading later. The hash may only be believed while
 * the bytes that it covers are written once: a second write to them starts it anew.
 */
export class RollingHash {
  #hash: Hash = createHash('sha256');
  #position = 0;
  #live: LiveHash | undefined;

  /** The hash covers the bytes before this position. */
  get position(): number {
    return this.#position;
  }

  /** Follows a writer of `length` bytes from `start` on when the hash stands there; undefined when it does not. */
  follow(start: number, length: number): LiveHash | undefined {
    if (start < this.#position) this.#restart();
    if (start !== this.#position || this.#live) return undefined;
    const before = this.#hash.copy();
    const live: LiveHash = {
      update: (chunks) => {
        if (this.#live === live) for (const chunk of chunks) this.#hash.update(chunk);
      },
      keep: () => {
        if (this.#live !== live) return;
        this.#live = undefined;
        this.#position += length;
      },
      revert: () => {
        if (this.#live !== live) return;
        this.#live = undefined;
        this.#hash = before;
      },
    };
    this.#live = live;
    return live;
  }

  /**
   * The hash of the first `size` bytes, in hexadecimal. What was not hashed while it passed is read with `read`.
   * Nobody may write meanwhile.
   */
  async finish(size: number, read: (target: Buffer, position: number) => Promise<number>): Promise<string> {
    this.#live?.revert();
    const buffer = Buffer.allocUnsafe(Math.min(1024 * 1024, size - this.#position));
    while (this.#position < size) {
      const wanted = buffer.subarray(0, Math.min(buffer.length, size - this.#position));
      const count = await read(wanted, this.#position);
      if (count === 0) break;
      this.#hash.update(wanted.subarray(0, count));
      this.#position += count;
    }
    return this.#hash.copy().digest('hex');
  }

  #restart(): void {
    this.#hash = createHash('sha256');
    this.#position = 0;
    this.#live = undefined;
  }
}

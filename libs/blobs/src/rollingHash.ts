import { BLOB_LIMITS } from './limits.js';
import { type RunningHash, startHash } from './runningHash.js';

/** The hash of what one writer appends, taken back when the writer gives up. */
export interface LiveHash {
  /** The chunks may be reused when it settles. */
  update(chunks: readonly Buffer[]): Promise<void>;
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
  readonly #size: number;
  #hash: RunningHash | undefined;
  #position = 0;
  #live: LiveHash | undefined;

  /** @param size bytes of the whole file */
  constructor(size: number) {
    this.#size = size;
  }

  /** The hash covers the bytes before this position. */
  get position(): number {
    return this.#position;
  }

  /** Follows a writer of `length` bytes from `start` on when the hash stands there; undefined when it does not. */
  follow(start: number, length: number): LiveHash | undefined {
    if (start < this.#position) this.forget();
    if (start !== this.#position || this.#live) return undefined;
    const hash = this.#running();
    const before = hash.copy();
    const live: LiveHash = {
      update: async (chunks) => {
        if (this.#live !== live) return;
        await hash.update(chunks).catch((error: unknown) => {
          this.forget();
          throw error;
        });
      },
      keep: () => {
        if (this.#live !== live) return;
        this.#live = undefined;
        this.#position += length;
        before.end();
      },
      revert: () => {
        if (this.#live !== live) return;
        this.#live = undefined;
        this.#hash = before;
        hash.end();
      },
    };
    this.#live = live;
    return live;
  }

  /**
   * The hash of the first `size` bytes, in hexadecimal. What was not hashed while it passed is read with `read`; when that
   * or the hash fails, the next one begins anew. Nobody may write meanwhile.
   */
  async finish(size: number, read: (target: Buffer, position: number) => Promise<number>): Promise<string> {
    this.#live?.revert();
    try {
      await this.#readOn(size, read);
      return await this.#running().digest();
    } catch (error) {
      this.forget();
      throw error;
    }
  }

  /** Begins anew, with nothing hashed. */
  forget(): void {
    this.#live?.revert();
    this.#hash?.end();
    this.#hash = undefined;
    this.#position = 0;
  }

  /** The next bytes are read while the last ones are hashed. */
  async #readOn(size: number, read: (target: Buffer, position: number) => Promise<number>): Promise<void> {
    const left = size - this.#position;
    if (left <= 0) return;
    const hash = this.#running();
    let [reading, hashed] = [newBuffer(left), newBuffer(left)];
    let hashing = Promise.resolve();
    try {
      while (this.#position < size) {
        const wanted = reading.subarray(0, size - this.#position);
        const count = await read(wanted, this.#position);
        if (count === 0) break;
        await hashing;
        hashing = hash.update([wanted.subarray(0, count)]);
        // Reported below; the next read may take longer.
        hashing.catch(() => undefined);
        this.#position += count;
        [reading, hashed] = [hashed, reading];
      }
    } finally {
      await hashing;
    }
  }

  #running(): RunningHash {
    return (this.#hash ??= startHash(this.#size));
  }
}

/** Seen by a hash thread without a copy. */
function newBuffer(wanted: number): Buffer {
  return Buffer.from(new SharedArrayBuffer(Math.min(BLOB_LIMITS.batchBytes, wanted)));
}

import { STREAM_LIMITS } from './limits.js';
import type { Pace } from './pace.js';

/** Buffers of one length that are used again and again: fresh ones cost more than the disk does. */
class Shelf {
  readonly length: number;
  readonly #free: Buffer[] = [];
  #out = 0;

  constructor(length: number) {
    this.length = length;
  }

  /** A buffer that nobody else has, unless `most` of them are out. */
  take(most: number): Buffer | undefined {
    if (this.#out >= most) return undefined;
    this.#out += 1;
    return this.#free.pop() ?? Buffer.allocUnsafeSlow(this.length);
  }

  give(buffer: Buffer): void {
    this.#out -= 1;
    if ((this.#free.length + 1) * this.length <= STREAM_LIMITS.kept) this.#free.push(buffer);
  }
}

/** A buffer out of a pool. */
export interface Held {
  readonly bytes: Buffer;
  /** Gives it back; nobody may read or write it any more. Call it once. */
  readonly give: () => void;
}

/**
 * The buffers of all downloads. What is on its way to a client may stay there for minutes, so it is bounded: blocks for some that are quick, pieces for
 * everybody else, and small ones where there are many of those or the client is slow.
 */
export class BufferPool {
  readonly #blocks = new Shelf(STREAM_LIMITS.block);
  readonly #cut = new Shelf(STREAM_LIMITS.cutBlock);
  readonly #pieces = new Shelf(STREAM_LIMITS.piece);
  readonly #small = new Shelf(STREAM_LIMITS.smallPiece);

  /** To be sent whole. Undefined when a client of that pace is to get pieces. */
  block(pace: Pace): Held | undefined {
    return pace === 'quick' ? held(this.#blocks, STREAM_LIMITS.blocks) : undefined;
  }

  /** To be read into and cut up, never to be sent. Undefined when too many are cut up at this moment. */
  cutBlock(): Held | undefined {
    return held(this.#cut, STREAM_LIMITS.cutBlocks);
  }

  piece(pace: Pace): Held {
    const large = pace === 'slow' ? undefined : held(this.#pieces, STREAM_LIMITS.pieces);
    return large ?? held(this.#small, Infinity) ?? neverLeft();
  }
}

function held(shelf: Shelf, most: number): Held | undefined {
  const bytes = shelf.take(most);
  return bytes && { bytes, give: () => shelf.give(bytes) };
}

function neverLeft(): never {
  throw new Error('Expected a small piece for everybody');
}

import { STREAM_LIMITS } from './limits.js';

/** How a client takes what it is sent: `quick` once it has taken a lot without a pause, `slow` since its last pause. */
export type Pace = 'new' | 'quick' | 'slow';

/** Watches over the pace of one download. */
export class PaceWatch {
  #pace: Pace = 'new';
  #taken = 0;

  get pace(): Pace {
    return this.#pace;
  }

  /** @param milliseconds until the client, or a buffer of the system on its behalf, had taken the bytes */
  note(bytes: number, milliseconds: number): void {
    if (milliseconds > STREAM_LIMITS.slowWrite) {
      this.#pace = 'slow';
      this.#taken = 0;
      return;
    }
    this.#taken += bytes;
    if (this.#taken >= STREAM_LIMITS.quickBytes) this.#pace = 'quick';
  }
}

/**
 * Large buffers that are used again and again: fresh ones cost more than the disk does. There are so many of them, and of small ones;
 * whoever comes when they are in use gets a tiny one, and so does whoever is slow: he keeps what he has for long, and needs little.
 */
export class BufferPool {
  readonly #free: Buffer[] = [];
  #large = 0;
  #small = 0;

  /** A buffer of at most `wanted` bytes that nobody else has. */
  take(wanted: number, pace: Pace): Buffer {
    const { batchBytes, smallBuffer, tinyBuffer } = STREAM_LIMITS;
    if (wanted <= tinyBuffer || pace === 'slow')
      return Buffer.allocUnsafeSlow(Math.min(tinyBuffer, Math.max(1, wanted)));
    const large = pace === 'quick' ? STREAM_LIMITS.largeBuffers : STREAM_LIMITS.largeBuffersAtOnce;
    if (wanted > smallBuffer && this.#large < large) {
      this.#large += 1;
      return this.#free.pop() ?? Buffer.allocUnsafeSlow(batchBytes);
    }
    if (this.#small >= STREAM_LIMITS.smallBuffers) return Buffer.allocUnsafeSlow(tinyBuffer);
    this.#small += 1;
    return Buffer.allocUnsafeSlow(smallBuffer);
  }

  /** Gives a buffer back; nobody may write from it any more. */
  give(buffer: Buffer): void {
    if (buffer.length === STREAM_LIMITS.smallBuffer) this.#small -= 1;
    if (buffer.length !== STREAM_LIMITS.batchBytes) return;
    this.#large -= 1;
    if (this.#free.length < STREAM_LIMITS.largeBuffersAtOnce) this.#free.push(buffer);
  }
}

/** The buffers of one download, one after the other, as its pace wants them. */
export class DownloadBuffers {
  readonly #pool: BufferPool;
  readonly #wanted: number;
  readonly #slots: { readonly buffer: Buffer; readonly pace: Pace }[] = [];

  /** @param wanted how many bytes are sent altogether */
  constructor(pool: BufferPool, wanted: number) {
    this.#pool = pool;
    this.#wanted = wanted;
  }

  /** The buffer of a slot, from which nobody writes at this moment. */
  at(slot: number, pace: Pace): Buffer {
    const held = this.#slots[slot];
    if (held?.pace === pace) return held.buffer;
    if (held) this.#pool.give(held.buffer);
    const buffer = this.#pool.take(this.#wanted, pace);
    this.#slots[slot] = { buffer, pace };
    return buffer;
  }

  give(): void {
    for (const { buffer } of this.#slots) this.#pool.give(buffer);
  }
}

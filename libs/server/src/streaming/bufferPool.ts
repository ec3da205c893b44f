import { STREAM_LIMITS } from './limits.js';

/**
 * Large buffers that are used again and again: fresh ones cost more than the disk does. When all of them are in use, small
 * ones are made, so that many downloads at once need little memory each.
 */
export class BufferPool {
  readonly #free: Buffer[] = [];
  #made = 0;

  /** A buffer of at most `wanted` bytes that nobody else has. */
  take(wanted: number): Buffer {
    if (wanted <= STREAM_LIMITS.smallBuffer) return Buffer.allocUnsafeSlow(Math.max(1, wanted));
    const free = this.#free.pop();
    if (free) return free;
    if (this.#made >= STREAM_LIMITS.pooledBuffers) return Buffer.allocUnsafeSlow(STREAM_LIMITS.smallBuffer);
    this.#made += 1;
    return Buffer.allocUnsafeSlow(STREAM_LIMITS.batchBytes);
  }

  /** Gives a buffer back; nobody may write from it any more. */
  give(buffer: Buffer): void {
    if (buffer.length === STREAM_LIMITS.batchBytes) this.#free.push(buffer);
  }
}

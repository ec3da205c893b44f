import { releaseBuffer } from '#libs/core';
import { transferBuffers } from './bufferPool.js';

/** Bytes of a body in a buffer of the pool. */
interface Batch {
  readonly buffer: Buffer;
  used: number;
}

/**
 * Gathers the pieces of a body in large buffers that are used again. Every piece is copied and given back at once: so it costs
 * a copy within the processor's cache, and nothing waits for the garbage collector.
 */
export class Batches {
  readonly #expected: number;
  #full: Batch[] = [];
  #filling: Batch | undefined;

  /** @param expected bytes of the whole body, as far as known: small bodies get small buffers */
  constructor(expected: number) {
    this.#expected = expected;
  }

  /** Full batches that were not taken yet. */
  get waiting(): number {
    return this.#full.length;
  }

  /** Takes the bytes of a piece; nobody may use it afterwards. */
  add(piece: Buffer): void {
    for (let at = 0; at < piece.length;) {
      const batch = (this.#filling ??= { buffer: transferBuffers.take(this.#expected), used: 0 });
      const count = piece.copy(batch.buffer, batch.used, at);
      at += count;
      batch.used += count;
      if (batch.used < batch.buffer.length) continue;
      this.#full.push(batch);
      this.#filling = undefined;
    }
    releaseBuffer(piece);
  }

  /** The next full batch; with `rest` also the last one that is not full. */
  next(rest: boolean): Buffer | undefined {
    let batch = this.#full.shift();
    if (batch === undefined && rest) {
      batch = this.#filling;
      this.#filling = undefined;
    }
    return batch?.buffer.subarray(0, batch.used);
  }

  /** Gives back a batch that {@link next} gave; nobody uses it any more. */
  give(batch: Buffer): void {
    transferBuffers.give(Buffer.from(batch.buffer));
  }

  /** Gives back everything that was not taken. */
  clear(): void {
    for (const { buffer } of this.#full) transferBuffers.give(buffer);
    if (this.#filling) transferBuffers.give(this.#filling.buffer);
    this.#full = [];
    this.#filling = undefined;
  }
}

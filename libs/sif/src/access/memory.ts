import type { RandomAccess } from './access.js';

/** An image in memory, for tests and for small images that never touch a disk. */
export class MemoryAccess implements RandomAccess {
  #bytes: Buffer;

  /** The bytes are copied: writing never changes the caller's. */
  constructor(bytes: Uint8Array = new Uint8Array()) {
    this.#bytes = Buffer.from(bytes);
  }

  get size(): number {
    return this.#bytes.length;
  }

  /** A copy of what is there now. */
  toBuffer(): Buffer {
    return Buffer.from(this.#bytes);
  }

  async readInto(into: Uint8Array, offset: number): Promise<number> {
    if (offset < 0) return 0;
    const part = this.#bytes.subarray(offset, offset + into.length);
    into.set(part);
    return part.length;
  }

  async write(data: Uint8Array, offset: number): Promise<void> {
    this.#resize(Math.max(this.#bytes.length, offset + data.length));
    this.#bytes.set(data, offset);
  }

  async truncate(size: number): Promise<void> {
    this.#resize(size);
  }

  async sync(): Promise<void> {}

  #resize(size: number): void {
    if (size === this.#bytes.length) return;
    const next = Buffer.alloc(size);
    next.set(this.#bytes.subarray(0, size));
    this.#bytes = next;
  }
}

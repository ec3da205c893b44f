import { sifError } from '../fault.js';

/** Bytes that can be read at any place: a file, memory, or a part of either. */
export interface ReadAccess {
  /** Length in bytes. */
  readonly size: number;
  /**
   * Fills `into` from `offset` and returns how many bytes came; fewer than asked for only at the end.
   */
  readInto(into: Uint8Array, offset: number): Promise<number>;
}

/** Bytes that can also be written in place. */
export interface RandomAccess extends ReadAccess {
  /** Writes all of `data` at `offset`; what lies between the old end and `offset` becomes zeros. */
  write(data: Uint8Array, offset: number): Promise<void>;
  /** Shortens or lengthens to `size` bytes. */
  truncate(size: number): Promise<void>;
  /** Returns when everything written so far would survive a power failure. */
  sync(): Promise<void>;
}

/**
 * Exactly `length` bytes from `offset`. Allocates `length` bytes, so the caller bounds it first.
 * @throws DomainError when the bytes end earlier
 */
export async function readExactly(access: ReadAccess, offset: number, length: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafe(length);
  const count = await access.readInto(bytes, offset);
  if (count !== length)
    throw sifError('sif_truncated', `unexpected EOF: Expected ${length} bytes at ${offset}, got ${count}`);
  return bytes;
}

/** A part of another access as an access of its own: what lies outside cannot be reached through it. */
export class SliceAccess implements ReadAccess {
  readonly #parent: ReadAccess;
  readonly #start: number;
  readonly size: number;

  constructor(parent: ReadAccess, start: number, size: number) {
    this.#parent = parent;
    this.#start = start;
    this.size = size;
  }

  async readInto(into: Uint8Array, offset: number): Promise<number> {
    if (offset < 0 || offset >= this.size) return 0;
    const wanted = into.subarray(0, Math.min(into.length, this.size - offset));
    return this.#parent.readInto(wanted, this.#start + offset);
  }
}

import type { ByteRange } from '#libs/core';

/** Which bytes of a file are there: ranges that neither touch nor overlap, in order. */
export class Intervals {
  #ranges: ByteRange[] = [];

  /** Bytes that are there. */
  get total(): number {
    return this.#ranges.reduce((sum, { start, end }) => sum + end - start + 1, 0);
  }

  add(range: ByteRange): void {
    const apart = ({ start, end }: ByteRange) => end + 1 < range.start || start > range.end + 1;
    const joined = this.#ranges.filter((each) => !apart(each));
    const start = Math.min(range.start, ...joined.map((each) => each.start));
    const end = Math.max(range.end, ...joined.map((each) => each.end));
    this.#ranges = [...this.#ranges.filter(apart), { start, end }].sort((a, b) => a.start - b.start);
  }

  clear(): void {
    this.#ranges = [];
  }

  /** What of the first `size` bytes is not there, in order and in pieces of at most `length` bytes. */
  missing(size: number, length: number): ByteRange[] {
    const pieces: ByteRange[] = [];
    let at = 0;
    for (const { start, end } of [...this.#ranges, { start: size, end: size }]) {
      for (; at < start; at += length) pieces.push({ start: at, end: Math.min(at + length, start) - 1 });
      at = end + 1;
    }
    return pieces;
  }
}

import type { ServerResponse } from 'node:http';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { ByteRange } from '#libs/core';
import { BufferPool, type Held } from './bufferPool.js';
import { STREAM_LIMITS } from './limits.js';
import { Outlet } from './outlet.js';

/** Bytes that can be read at any position. */
export interface ByteSource {
  readonly size: number;
  /**
   * Told before the bytes from `start` to `end` (the last one) are read, one after the other. A source that wants to know it is read in this
   * order and no byte twice; others may be asked for bytes again that a client did not take.
   */
  expect?(start: number, end: number): void;
  /** Fills `target` from `position` on; fewer bytes only at the end. */
  read(target: Buffer, position: number): Promise<number>;
}

const pool = new BufferPool();

/**
 * Sends a range of a source as the body of an answer whose head was written. Resolves when the last byte was handed over or the client has gone;
 * says whether it got everything.
 * @throws Error when the source ends early, and whatever it throws; the connection is cut then
 */
export async function sendRange(
  response: ServerResponse,
  source: ByteSource,
  range: ByteRange,
): Promise<'sent' | 'cut'> {
  const outlet = new Outlet(response);
  const bytes = new RangeReader(source, range);
  response.setTimeout(STREAM_LIMITS.sendIdleTime, () => response.destroy());
  source.expect?.(range.start, range.end);
  try {
    while (bytes.left > 0 && !outlet.closed) {
      const block = bytes.left > STREAM_LIMITS.smallPiece ? pool.block(outlet.pace) : undefined;
      if (block !== undefined) await sendBlocks(bytes, outlet, block);
      else await sendPieces(bytes, outlet);
    }
    if (outlet.closed) return 'cut';
    response.end();
    return 'sent';
  } catch (error) {
    // The status is out already: only a cut connection keeps the client from taking a part for the whole.
    response.destroy();
    throw error;
  } finally {
    response.setTimeout(0);
    outlet.release();
  }
}

/** Straight out of the buffers that were read into: the next block is read while one is written. */
async function sendBlocks(bytes: RangeReader, outlet: Outlet, first: Held): Promise<void> {
  let full: Held | undefined = await filled(bytes, first);
  while (full !== undefined) {
    const writing = outlet.write(full.bytes).finally(full.give);
    const free: Held | undefined = bytes.left > 0 ? pool.block(outlet.pace) : undefined;
    const [taken, next]: [boolean, Held | undefined] = await Promise.all([
      writing,
      free && filled(bytes, free),
    ]);
    full = next;
    if (taken) continue;
    next?.give();
    return;
  }
}

/**
 * In copies of pieces of one block. Nobody knows when a client takes a piece that the system does not take at once: then the block goes back, and
 * what is left of it is read again. Many blocks cost little, one read for each piece would cost more than everything else.
 */
async function sendPieces(bytes: RangeReader, outlet: Outlet): Promise<void> {
  const { smallPiece, slowBlock } = STREAM_LIMITS;
  const block = bytes.inOrder || bytes.left <= smallPiece ? undefined : pool.cutBlock();
  if (block === undefined) {
    const piece = await filled(bytes, pool.piece(outlet.pace));
    await outlet.write(piece.bytes).finally(piece.give);
    return;
  }
  const { bytes: read } = await filled(
    bytes,
    outlet.pace === 'slow' ? { ...block, bytes: block.bytes.subarray(0, slowBlock) } : block,
  );
  let at = 0;
  let writing: Promise<boolean> | undefined;
  while (at < read.length && !outlet.closed && !outlet.busy) {
    const { bytes: piece, give } = pool.piece(outlet.pace);
    const count = read.copy(piece, 0, at);
    at += count;
    writing = outlet.write(piece.subarray(0, count)).finally(give);
    // Node says in the turn after it whether the system took everything.
    await nextTurn();
  }
  block.give();
  bytes.unread(read.length - at);
  await writing;
}

/** @returns the buffer with the part of it that was filled; it is given back when that fails */
async function filled(bytes: RangeReader, held: Held): Promise<Held> {
  try {
    return { ...held, bytes: await bytes.fill(held.bytes) };
  } catch (error) {
    held.give();
    throw error;
  }
}

/** Reads a range from its beginning to its end. */
class RangeReader {
  readonly #source: ByteSource;
  readonly #end: number;
  #position: number;

  constructor(source: ByteSource, range: ByteRange) {
    this.#source = source;
    this.#end = range.end + 1;
    this.#position = range.start;
  }

  /** Bytes that were not read. */
  get left(): number {
    return this.#end - this.#position;
  }

  /** Whether nothing may be read twice. */
  get inOrder(): boolean {
    return this.#source.expect !== undefined;
  }

  /** @returns the part of `target` that has the next bytes. @throws Error when there are none */
  async fill(target: Buffer): Promise<Buffer> {
    const wanted = target.subarray(0, Math.min(target.length, this.left));
    const count = await this.#source.read(wanted, this.#position);
    if (count === 0) throw new Error(`Expected ${this.#end} bytes, the source ended at ${this.#position}`);
    this.#position += count;
    return wanted.subarray(0, count);
  }

  /** The last `count` bytes are read again. */
  unread(count: number): void {
    this.#position -= count;
  }
}

import { describe, expect, it } from 'vitest';
import { BufferPool, type Held } from './bufferPool.js';
import { STREAM_LIMITS } from './limits.js';

const { block, blocks, cutBlock, cutBlocks, kept, piece, pieces, smallPiece } = STREAM_LIMITS;

describe('the buffers of downloads', () => {
  const several = <T>(count: number, take: () => T): T[] => Array.from({ length: count }, take);
  const lengths = (held: readonly (Held | undefined)[]) => held.map((one) => one?.bytes.length);
  const all = (count: number, length: number) => several(count, () => length);

  it('are blocks for who is quick, while there are some', () => {
    const pool = new BufferPool();
    expect(pool.block('new')).toBeUndefined();
    expect(pool.block('slow')).toBeUndefined();
    const held = several(blocks, () => pool.block('quick'));
    expect(lengths(held)).toEqual(all(blocks, block));
    expect(pool.block('quick')).toBeUndefined();
    held[0]?.give();
    expect(pool.block('quick')?.bytes).toBe(held[0]?.bytes);
    expect(pool.block('quick')).toBeUndefined();
  });

  it('are pieces for everybody else, small ones when many are out and for who is slow', () => {
    const pool = new BufferPool();
    expect(pool.piece('slow').bytes.length).toBe(smallPiece);
    const held = several(pieces, () => pool.piece('new'));
    expect(lengths(held)).toEqual(all(pieces, piece));
    expect(lengths([pool.piece('new'), pool.piece('quick')])).toEqual([smallPiece, smallPiece]);
    held[0]?.give();
    expect(pool.piece('new').bytes).toBe(held[0]?.bytes);
  });

  it('are few blocks that are cut up', () => {
    const pool = new BufferPool();
    const held = several(cutBlocks, () => pool.cutBlock());
    expect(lengths(held)).toEqual(all(cutBlocks, cutBlock));
    expect(pool.cutBlock()).toBeUndefined();
    held[0]?.give();
    expect(pool.cutBlock()?.bytes).toBe(held[0]?.bytes);
  });

  it("are nobody else's, and are not all kept", () => {
    const pool = new BufferPool();
    const first = several(blocks, () => pool.block('quick'));
    expect(new Set(first.map((one) => one?.bytes)).size).toBe(blocks);
    for (const one of first) one?.give();
    const known = new Set(first.map((one) => one?.bytes));
    const again = several(blocks, () => pool.block('quick')).filter((one) => known.has(one?.bytes));
    expect(again.length).toBe(kept / block);
  });
});

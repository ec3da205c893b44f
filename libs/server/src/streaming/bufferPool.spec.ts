import { describe, expect, it } from 'vitest';
import { BufferPool, DownloadBuffers, type Pace, PaceWatch } from './bufferPool.js';
import { STREAM_LIMITS } from './limits.js';

const { batchBytes, smallBuffer, tinyBuffer, largeBuffers, largeBuffersAtOnce, smallBuffers } = STREAM_LIMITS;
const MUCH = 1024 * batchBytes;

describe('the buffers of downloads', () => {
  const lengths = (pool: BufferPool, count: number, pace: Pace) =>
    Array.from({ length: count }, () => pool.take(MUCH, pace).length);
  const all = (length: number, count: number) => Array.from({ length: count }, () => length);

  it('are large for a few, small for some more and tiny for the rest', () => {
    const pool = new BufferPool();
    expect(lengths(pool, largeBuffersAtOnce, 'new')).toEqual(all(batchBytes, largeBuffersAtOnce));
    expect(lengths(pool, smallBuffers, 'new')).toEqual(all(smallBuffer, smallBuffers));
    expect(lengths(pool, 10, 'new')).toEqual(all(tinyBuffer, 10));
    const further = largeBuffers - largeBuffersAtOnce;
    expect(lengths(pool, further + 1, 'quick')).toEqual([...all(batchBytes, further), tinyBuffer]);
  });

  it('are tiny for who is slow, and for what is short', () => {
    const pool = new BufferPool();
    expect(pool.take(MUCH, 'slow').length).toBe(tinyBuffer);
    for (const pace of ['new', 'quick', 'slow'] as const) {
      expect(pool.take(10, pace).length).toBe(10);
      expect(pool.take(0, pace).length).toBe(1);
    }
  });

  it('are used again when they were given back', () => {
    const pool = new BufferPool();
    const first = pool.take(MUCH, 'new');
    pool.give(first);
    expect(pool.take(MUCH, 'new')).toBe(first);
    for (let count = 1; count < largeBuffersAtOnce; count += 1) pool.take(MUCH, 'new');
    const small = Array.from({ length: smallBuffers }, () => pool.take(MUCH, 'new'));
    expect(pool.take(MUCH, 'new').length).toBe(tinyBuffer);
    for (const buffer of small) pool.give(buffer);
    expect(pool.take(MUCH, 'new').length).toBe(smallBuffer);
    pool.give(first);
    expect(pool.take(MUCH, 'new').length).toBe(batchBytes);
  });

  it('are exchanged when the pace of their download is another one', () => {
    const pool = new BufferPool();
    const slow = new DownloadBuffers(pool, MUCH);
    const held = Array.from({ length: largeBuffersAtOnce }, (_, slot) => slow.at(slot, 'new'));
    expect(slow.at(0, 'new')).toBe(held[0]);
    expect(slow.at(0, 'slow').length).toBe(tinyBuffer);
    const other = new DownloadBuffers(pool, MUCH);
    expect(other.at(0, 'new')).toBe(held[0]);
    expect(other.at(1, 'new').length).toBe(smallBuffer);
    slow.give();
    other.give();
    expect(lengths(pool, largeBuffersAtOnce, 'new')).toEqual(all(batchBytes, largeBuffersAtOnce));
  });
});

describe('the pace of a download', () => {
  it('is quick when much was taken without a pause, and slow from a pause on until much was taken again', () => {
    const watch = new PaceWatch();
    expect(watch.pace).toBe('new');
    for (let taken = 0; taken < STREAM_LIMITS.quickBytes; taken += batchBytes) {
      expect(watch.pace).toBe('new');
      watch.note(batchBytes, 5);
    }
    expect(watch.pace).toBe('quick');
    watch.note(1, STREAM_LIMITS.slowWrite + 1);
    expect(watch.pace).toBe('slow');
    watch.note(STREAM_LIMITS.quickBytes - 1, 5);
    expect(watch.pace).toBe('slow');
    watch.note(1, 5);
    expect(watch.pace).toBe('quick');
  });
});

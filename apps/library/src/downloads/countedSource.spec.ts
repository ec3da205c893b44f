import { expect, it } from 'vitest';
import { countedSource } from './countedSource.js';

it('counts what is read, and passes on what is expected where somebody wants to know it', async () => {
  const told: number[][] = [];
  let bytes = 0;
  const plain = { size: 7, read: async () => 3 };
  const note = (count: number) => void (bytes += count);
  const counted = countedSource({ ...plain, expect: (start, end) => void told.push([start, end]) }, note);
  counted.expect?.(1, 5);
  expect(told).toEqual([[1, 5]]);
  expect(await counted.read(Buffer.alloc(9), 0)).toBe(3);
  expect(await counted.read(Buffer.alloc(9), 3)).toBe(3);
  expect(bytes).toBe(6);
  expect(counted.size).toBe(7);
  expect('expect' in countedSource(plain, note)).toBe(false);
});

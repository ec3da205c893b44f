import { expect, it } from 'vitest';
import { releaseBuffer } from './release-buffer.js';

it('gives the memory of a buffer back without waiting for the collector', () => {
  const before = process.memoryUsage().arrayBuffers;
  for (let count = 0; count < 1000; count += 1) {
    const buffer = Buffer.allocUnsafeSlow(1024 * 1024);
    releaseBuffer(buffer);
    expect(buffer.length).toBe(0);
  }
  // What else happens in this process needs less than ten of the thousand MiB.
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(10 * 1024 * 1024);
});

it('leaves memory alone that others may use', () => {
  const whole = Buffer.alloc(100, 1);
  releaseBuffer(whole.subarray(0, 99));
  expect(whole.length).toBe(100);
  const pooled = Buffer.from('small');
  releaseBuffer(pooled);
  expect(pooled.toString()).toBe('small');
  const shared = Buffer.from(new SharedArrayBuffer(10));
  releaseBuffer(shared);
  expect(shared.length).toBe(10);
  releaseBuffer(Buffer.alloc(0));
});

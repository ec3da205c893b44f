import { expect, it } from 'vitest';
import { readRetryAfter } from './retry-after.js';

const NOW = Date.parse('2026-11-26T12:00:00Z');

it.each([
  ['0', 0],
  ['120', 120],
  ['999999999', 7 * 24 * 3600],
  ['Thu, 26 Nov 2026 12:01:30 GMT', 90],
  ['Thu, 26 Nov 2026 11:00:00 GMT', 0],
  [undefined, undefined],
  ['', undefined],
  ['-5', undefined],
  ['1.5', undefined],
  ['soon', undefined],
  ['Monday', undefined],
  ['9'.repeat(100), undefined],
])('%s', (header, seconds) => {
  expect(readRetryAfter(header, NOW)).toBe(seconds);
});

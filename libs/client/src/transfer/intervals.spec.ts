import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Intervals } from './intervals.js';

const SIZE = 60;
const range = fc
  .tuple(fc.nat(SIZE - 1), fc.nat(SIZE - 1))
  .map(([a, b]) => ({ start: Math.min(a, b), end: Math.max(a, b) }));

it('knows what is there and what is not, whatever came in whatever order', () => {
  fc.assert(
    fc.property(fc.array(range, { maxLength: 12 }), fc.integer({ min: 1, max: 70 }), (added, length) => {
      const there = new Intervals();
      const bytes = Array.from({ length: SIZE }, () => false);
      for (const each of added) {
        there.add(each);
        bytes.fill(true, each.start, each.end + 1);
      }
      expect(there.total).toBe(bytes.filter(Boolean).length);
      const missing = there.missing(SIZE, length);
      for (const { start, end } of missing) {
        expect(end - start + 1).toBeLessThanOrEqual(length);
        for (let at = start; at <= end; at += 1) {
          expect(bytes[at]).toBe(false);
          bytes[at] = true;
        }
      }
      expect(bytes).not.toContain(false);
      expect(missing).toEqual(missing.toSorted((a, b) => a.start - b.start));
    }),
  );
});

it('is empty again when it was cleared', () => {
  const there = new Intervals();
  there.add({ start: 0, end: 9 });
  there.clear();
  expect(there.missing(10, 100)).toEqual([{ start: 0, end: 9 }]);
});

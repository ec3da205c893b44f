import fc from 'fast-check';
import { expect, it } from 'vitest';
import { S3_LIMITS } from './limits.js';
import { copiesOf } from './publish.js';

const MIB = 1024 * 1024;

it('pieces are copied in ranges that S3 takes, and not in too many of them', () => {
  const shape = fc.record({
    partSize: fc.integer({ min: S3_LIMITS.smallestPart, max: 600 * MIB }),
    parts: fc.integer({ min: 1, max: S3_LIMITS.parts }),
    last: fc.integer({ min: 1, max: S3_LIMITS.smallestPart }),
  });
  fc.assert(
    fc.property(shape, ({ partSize, parts, last }) => {
      const pieces = Array.from({ length: parts }, (_, index) => ({
        key: String(index),
        etag: '',
        start: index * partSize,
        size: index === parts - 1 ? last : partSize,
      }));
      const copies = copiesOf(pieces, S3_LIMITS.copy);
      expect(copies.length).toBeLessThanOrEqual(S3_LIMITS.parts);
      const lengths = copies.map(({ range }) => range.end - range.start + 1);
      let at = 0;
      const gaps = copies.filter(({ piece, range }, index) => {
        const follows = piece.start + range.start === at && range.end < piece.size;
        at += lengths[index] ?? 0;
        return !follows;
      });
      expect(gaps).toEqual([]);
      expect(at).toBe((parts - 1) * partSize + last);
      expect(Math.max(...lengths)).toBeLessThanOrEqual(5 * 1024 * MIB);
      expect(Math.min(Infinity, ...lengths.slice(0, -1))).toBeGreaterThanOrEqual(S3_LIMITS.smallestPart);
    }),
    { numRuns: 20 },
  );
});

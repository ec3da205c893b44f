import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  contentRange,
  parseContentRange,
  readRange,
  splitIntoRanges,
  unsatisfiedRange,
} from './byteRange.js';

const part = (start: number, end: number) => ({ kind: 'part', start, end });

describe('readRange (RFC 9110 §14)', () => {
  it.each([
    ['bytes=0-499', part(0, 499)],
    ['bytes=500-999', part(500, 999)],
    ['bytes=500-', part(500, 9999)],
    ['bytes=-500', part(9500, 9999)],
    ['bytes=-20000', part(0, 9999)],
    ['bytes=9999-9999', part(9999, 9999)],
    ['bytes=0-99999999999999999999999999', part(0, 9999)],
    ['Bytes=0-0', part(0, 0)],
    ['bytes = 0-0', part(0, 0)],
  ])('gives the part for %s', (header, wanted) => {
    expect(readRange(header, 10_000)).toEqual(wanted);
  });

  it.each(['bytes=10000-', 'bytes=10000-10001', 'bytes=-0'])('finds %s unsatisfiable', (header) => {
    expect(readRange(header, 10_000)).toEqual({ kind: 'unsatisfiable' });
  });

  it.each([
    undefined,
    '',
    'bytes',
    'bytes=',
    'bytes=-',
    'bytes=5-4',
    'bytes=0-1,5-6',
    'bytes=a-b',
    'bytes=0x0-0x5',
    'lines=0-5',
    'bytes=1-2=3',
    `bytes=0-${'9'.repeat(300)}`,
  ])('ignores %j', (header) => {
    expect(readRange(header, 10_000)).toEqual({ kind: 'whole' });
  });

  it('satisfies nothing of an empty representation', () => {
    expect(readRange('bytes=0-', 0)).toEqual({ kind: 'unsatisfiable' });
    expect(readRange('bytes=-1', 0)).toEqual({ kind: 'unsatisfiable' });
  });

  it('never leaves the bytes that exist', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom('0', '9', '-', ',') }), fc.nat(), (text, size) => {
        const range = readRange(`bytes=${text}`, size);
        const sound =
          range.kind !== 'part' || (0 <= range.start && range.start <= range.end && range.end < size);
        expect(sound).toBe(true);
      }),
    );
  });
});

describe('Content-Range', () => {
  it('is read back as it was written', () => {
    fc.assert(
      fc.property(fc.nat(), fc.nat(), fc.integer({ min: 1 }), (start, length, more) => {
        const range = { start, end: start + length };
        const size = start + length + more;
        expect(parseContentRange(contentRange(range, size))).toEqual({ ...range, size });
      }),
    );
  });

  it.each([undefined, 'bytes */5', 'bytes 5-4/9', 'bytes 0-9/9', 'bytes 0-1/*', 'items 0-1/5'])(
    'refuses %j',
    (text) => {
      expect(parseContentRange(text)).toBeUndefined();
    },
  );

  it('names the size when nothing fits', () => {
    expect(unsatisfiedRange(7)).toBe('bytes */7');
  });
});

describe('splitIntoRanges', () => {
  it('cuts into ceil(size / length) ranges that touch', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 10_000 }), fc.integer({ min: 1, max: 500 }), (size, length) => {
        const ranges = splitIntoRanges(size, length);
        expect(ranges.length).toBe(Math.ceil(size / length));
        let next = 0;
        for (const range of ranges) {
          expect(range.start).toBe(next);
          next = range.end + 1;
        }
        expect(next).toBe(size);
      }),
    );
  });

  it.each([0, -1, 1.5, Number.NaN])('refuses a length of %d', (length) => {
    expect(() => splitIntoRanges(10, length)).toThrow(/positive length/);
  });
});

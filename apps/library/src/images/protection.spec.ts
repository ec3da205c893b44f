import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { matchesTag, protectionOf } from './protection.js';

describe('patterns of tags', () => {
  it.each([
    ['1.0', '1.0'],
    ['*', 'anything'],
    ['*', ''],
    ['v*', 'v'],
    ['v*', 'v1.2'],
    ['*-stable', '2-stable'],
    ['v*.*', 'v1.2'],
    ['v*.*.0', 'v1.2.0'],
    ['a**b', 'ab'],
    ['a*a', 'aa'],
    ['*a*a*', 'baca'],
  ])('%j has %j', (pattern, tag) => {
    expect(matchesTag(pattern, tag)).toBe(true);
  });

  it.each([
    ['1.0', '1.0.1'],
    ['1.0', '1x0'],
    ['v*', 'w1'],
    ['v*', 'V1'],
    ['a*a', 'a'],
    ['ab*bc', 'abc'],
    ['v*.*', 'v1'],
    ['*a*a*', 'bac'],
  ])('%j has no %j', (pattern, tag) => {
    expect(matchesTag(pattern, tag)).toBe(false);
  });

  it('are those of a regular expression', () => {
    const text = fc.string({ unit: fc.constantFrom('a', 'b', '.'), maxLength: 8 });
    const pattern = fc.string({ unit: fc.constantFrom('a', 'b', '.', '*'), maxLength: 8 });
    fc.assert(
      fc.property(pattern, text, (one, tag) => {
        const expression = new RegExp(`^${one.replaceAll('.', '\\.').replace(/\*+/g, '.*')}$`);
        expect(matchesTag(one, tag)).toBe(expression.test(tag));
      }),
      { numRuns: 2000 },
    );
  });

  it('the first one that has a tag protects it', () => {
    expect(protectionOf('v1', ['1', 'v*', '*'])).toBe('v*');
    expect(protectionOf('x', ['1', 'v*'])).toBeUndefined();
  });
});

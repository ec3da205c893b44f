import { describe, expect, it } from 'vitest';
import { parseChallenges } from './challenge.js';

const read = (...lines: readonly string[]) =>
  parseChallenges(lines).map(({ scheme, parameters }) => [scheme, Object.fromEntries(parameters)]);

describe('a challenge', () => {
  it('has a scheme and parameters, quoted or not', () => {
    expect(
      read(
        'Bearer realm="https://auth.example.org/token?x=1,2",service=registry , scope="repository:a/b:pull,push"',
      ),
    ).toEqual([
      [
        'bearer',
        {
          realm: 'https://auth.example.org/token?x=1,2',
          service: 'registry',
          scope: 'repository:a/b:pull,push',
        },
      ],
    ]);
  });

  it('stands behind another one, on the same line or on its own', () => {
    const both = [
      ['basic', { realm: 'a "b"' }],
      ['negotiate', {}],
      ['bearer', { realm: 'https://x/' }],
    ];
    expect(read('Basic realm="a \\"b\\"", Negotiate, Bearer realm="https://x/"')).toEqual(both);
    expect(read('Basic realm="a \\"b\\""', 'Negotiate', 'Bearer realm="https://x/"')).toEqual(both);
  });

  it.each([
    ['', []],
    ['=', []],
    [',,,', []],
    ['Bearer realm="never ends', [['bearer', {}]]],
    ['Bearer realm=', [['bearer', {}]]],
    ['Bearer \u0000', [['bearer', {}]]],
  ])('that is none is read as far as it is good: %j', (text, expected) => {
    expect(read(text)).toEqual(expected);
  });

  it('that is too long is none', () => {
    expect(read(`Bearer realm="${'a'.repeat(8000)}"`)).toHaveLength(1);
    expect(read(`Bearer realm="${'a'.repeat(8200)}"`)).toEqual([]);
  });

  it('has so many parameters and no more', () => {
    const many = Array.from({ length: 100 }, (_, index) => `p${index}=x`).join(', ');
    expect(parseChallenges([`Bearer ${many}`])[0]?.parameters.size).toBe(16);
  });
});

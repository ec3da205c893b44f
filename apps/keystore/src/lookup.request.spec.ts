import fc from 'fast-check';
import { expect, it } from 'vitest';
import { parseLookup } from './lookup.request.js';

it.each([
  ['op=get&search=0xDEADBEEF', 'get', [{ kind: 'short_key_id', hex: 'deadbeef' }]],
  ['search=a%40b.org&op=vindex&search=c%40d.org&op=get', 'index', [{ kind: 'email', address: 'a@b.org' }]],
  ['xop=1&opx=2&op=get&options=mr&Search=no&search=Ann', 'get', [{ kind: 'words', words: ['ann'] }]],
  ['op=index&exact=on&search=aa=bb&', 'index', [{ kind: 'words', words: ['aa', 'bb'] }]],
  [
    'op=get&search=a+b@c.org',
    'get',
    [
      { kind: 'email', address: 'a+b@c.org' },
      { kind: 'words', words: ['org'] },
    ],
  ],
])('%s is read as %s', (query, operation, searches) => {
  expect(parseLookup(query)).toEqual({ operation, searches });
});

it.each([
  ['', 'for op'],
  ['op', 'for op'],
  ['op=&search=a', 'for op'],
  ['op=get', 'search for'],
  ['op=get&searchx=a', 'search for'],
  ['op=get&search', 'search for'],
  ['op=get&search=', 'search for'],
  ['op=get&search=%', 'percent-encoded'],
  ['op=get&search=%ff', 'percent-encoded'],
  ['op=get&search=a%00', 'no NUL'],
  ['op=hget&search=a', 'get, index or vindex'],
])('%s is refused: %s', (query, message) => {
  expect(() => parseLookup(query)).toThrow(message);
});

function readOf(query: string): unknown {
  try {
    return parseLookup(query).searches;
  } catch {
    return 'refused';
  }
}

it('reads the first parameter of a name, wherever it stands', () => {
  const pair = fc.constantFrom(
    'op=get',
    'op',
    'search',
    'search=',
    'sear=1',
    'searches=2',
    '',
    '=',
    'a&',
    'x=search=1',
  );
  fc.assert(
    fc.property(fc.array(pair), fc.array(pair), (before, after) => {
      const query = [...before, 'search=0x0123456789abcdef', 'op=get', ...after].join('&');
      const plain = new URLSearchParams(query);
      const wrong = plain.get('op') !== 'get' || plain.get('search') === '';
      const wanted = wrong ? 'refused' : [{ kind: 'key_id', hex: '0123456789abcdef' }];
      expect(readOf(query)).toEqual(wanted);
    }),
  );
});

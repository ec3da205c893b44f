import fc from 'fast-check';
import { expect, it } from 'vitest';
import { parseLookup } from './lookup.request.js';

const text = (whole: string) => ({ kind: 'user_id', text: whole });

it.each([
  ['op=get&search=0xDEADBEEF', 'get', [{ kind: 'short_key_id', hex: 'deadbeef' }]],
  ['search=a%40b.org&op=vindex&search=c%40d.org&op=get', 'vindex', [{ kind: 'email', address: 'a@b.org' }]],
  ['xop=1&opx=2&op=get&options=mr&Search=no&search=Ann', 'get', [{ kind: 'words', words: ['ann'] }]],
  ['op=index&exact=off&search=aa=bb&', 'index', [{ kind: 'words', words: ['aa', 'bb'] }]],
  ['op=get&exact=ON&search=Ann+Lee', 'get', [text('Ann Lee'), text('Ann+Lee')]],
  ['op=get&search=a+b@c.org', 'get', [{ kind: 'email', address: 'a+b@c.org' }]],
  ['op=get&search=<Ann@c.org>', 'get', [{ kind: 'email', address: 'ann@c.org' }]],
  [
    'op=get&search=jean-luc',
    'get',
    [
      { kind: 'words', words: ['jean-luc'] },
      { kind: 'words', words: ['jean', 'luc'] },
    ],
  ],
])('%s is read as %s', (query, operation, searches) => {
  expect(parseLookup(query)).toMatchObject({ operation, searches });
});

it.each([
  ['options=mr,foo,nm', ['mr']],
  ['options=MR%2Cjson', ['mr', 'json']],
  ['options=nm', []],
  ['', []],
])('of %j the options are %j', (options, known) => {
  expect([...parseLookup(`op=get&search=a@b.org&${options}`).options]).toEqual(known);
});

it.each([
  ['', undefined],
  ['0', undefined],
  ['-1', undefined],
  ['abc', undefined],
  ['1', 1],
  ['999999', 500],
  ['99999999999', undefined],
])('a page size of %j is %j', (size, wanted) => {
  expect(parseLookup(`op=index&search=ann&x-pagesize=${size}`)).toMatchObject({ pageSize: wanted });
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
  ['op=get&search=@c.org', 'of a domain'],
  ['op=hget&search=a', 'get, index, vindex or stats'],
])('%s is refused: %s', (query, message) => {
  expect(() => parseLookup(query)).toThrow(message);
});

function readOf(query: string): unknown {
  try {
    const lookup = parseLookup(query);
    return lookup.operation === 'stats' ? 'stats' : lookup.searches;
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

import { expect, it } from 'vitest';
import { LIMITS } from '../limits.js';
import { SearchCursors, type SearchState } from './searchCursors.js';
import type { Term } from './terms.store.js';
import { type Candidate, candidates, gather, type WalkPlace } from './walk.js';

const SOURCES = [
  { kind: 'container', word: 'a' },
  { kind: 'containerText', word: 'a' },
] as const;
const SCOPES = [{ audience: 'members' }, { audience: '' }];

/** Terms `a0`, `a1` …, so many of each source and audience. */
function termsOf(count: number, without: ReadonlySet<string> = new Set()) {
  const asked: string[] = [];
  const all = (kind: string, audience: string): Term[] =>
    Array.from({ length: count }, (_, at) => {
      const target = `${kind}-${audience}-${String(at).padStart(5, '0')}`;
      const value = { kind, audience, term: `a${String(at).padStart(5, '0')}`, target } as Term['value'];
      return { id: `${target}/1`, revision: 1, value };
    }).filter(({ value }) => !without.has(value.target));
  return {
    asked,
    page: (
      kind: string,
      _word: string,
      { audience = '' }: { audience?: string | undefined },
      { limit, cursor = '' }: { limit: number; cursor?: string | undefined },
    ) => {
      asked.push(`${kind} ${audience} ${cursor}`);
      const rest = all(kind, audience).filter(({ id }) => id > cursor);
      const items = rest.slice(0, limit);
      const last = items.at(-1)?.id;
      return Promise.resolve({
        items,
        ...(rest.length > limit && last !== undefined ? { cursor: last } : {}),
      });
    },
  };
}

async function page(terms: ReturnType<typeof termsOf>, from: WalkPlace | undefined, most: number) {
  const found: string[] = [];
  const gathered = await gather<Candidate>(candidates(terms, SOURCES, SCOPES, from), from, {
    load: () => Promise.resolve(),
    take: (candidate) => candidate,
    add: ({ target }) => found.push(target),
    isFull: () => found.length >= most,
  });
  return { found, ...gathered };
}

async function allPages(most: number, terms = termsOf(300)) {
  const pages: string[][] = [];
  let from: WalkPlace | undefined;
  do {
    const { found, next } = await page(terms, from, most);
    pages.push(found);
    from = next;
  } while (from !== undefined);
  return pages;
}

it('finds everything once, on however many pages, names and what is everybody’s first', async () => {
  const [whole = []] = await allPages(10_000, termsOf(200));
  expect(whole).toHaveLength(800);
  expect(whole.map((one) => one.slice(0, -6)).filter((one, at, all) => one !== all[at - 1])).toEqual([
    'container-',
    'container-members',
    'containerText-',
    'containerText-members',
  ]);
  for (const most of [1, 7, LIMITS.searchBatch, 199, 200, 800])
    expect((await allPages(most, termsOf(200))).flat()).toEqual(whole);
});

it('ends with the last page that has something in it', async () => {
  expect((await allPages(100, termsOf(25))).map(({ length }) => length)).toEqual([100]);
  expect((await allPages(99, termsOf(25))).map(({ length }) => length)).toEqual([99, 1]);
});

it('goes on behind what was last seen, also when that is gone', async () => {
  const { found, next } = await page(termsOf(200), undefined, 130);
  const gone = termsOf(200, new Set([found.at(-1) ?? '']));
  const [first] = (await page(gone, next, 1)).found;
  expect(first).toBe('container--00130');
});

it('leaves the rest to the next page when it has looked at enough', async () => {
  let looked = 0;
  const gathered = await gather<never>(candidates(termsOf(900), SOURCES, SCOPES), undefined, {
    load: () => Promise.resolve(),
    take: () => {
      looked += 1;
      return undefined;
    },
    add: () => undefined,
    isFull: () => false,
  });
  expect(looked).toBe(LIMITS.searchCandidates);
  expect([gathered.cut, gathered.done]).toEqual([true, false]);
});

it('seals where it goes on, for the same search alone', () => {
  const cursors = new SearchCursors(Buffer.alloc(32, 1));
  const place = { source: 0, audience: '', term: 'secret-term', id: 'x/1' };
  const state: SearchState = {
    entity: null,
    collection: null,
    container: { words: ['a'], place },
    inContainers: { words: [] },
    image: null,
  };
  const cursor = cursors.write('query', state);
  expect(cursors.read('query', cursor)).toEqual(state);
  expect(Buffer.from(cursor, 'base64url').toString('latin1')).not.toContain('secret');
  for (const [query, text] of [
    ['other', cursor],
    ['query', ''],
    ['query', `${cursor.slice(0, -4)}AAAA`],
    ['query', 'x'.repeat(LIMITS.searchCursor + 1)],
  ] as const)
    expect(() => cursors.read(query, text)).toThrow('does not belong');
  expect(() => new SearchCursors(Buffer.alloc(32, 2)).read('query', cursor)).toThrow('does not belong');
});

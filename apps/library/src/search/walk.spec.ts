import { describe, expect, it } from 'vitest';
import { LIMITS } from '../limits.js';
import { SearchCursors, type SearchState } from './searchCursors.js';
import { type Mark, markedTerm, readTerm } from './searchTerms.js';
import type { Term, TermsStore } from './terms.store.js';
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

describe('what is marked as none of those that are asked for', () => {
  /** Images that all have the word, in the order of the index, so many of each mark. */
  function marked(word: string, counts: Readonly<Record<string, number>>): Term[] {
    return Object.entries(counts).flatMap(([arch, count]) =>
      Array.from({ length: count }, (_, at) => {
        const target = `${arch}-${String(at).padStart(5, '0')}`;
        const term = arch === '' ? word : markedTerm(word, { arch, signed: false });
        return { id: `${target}/w0`, revision: 1, value: { kind: 'imageText', audience: '', term, target } };
      }),
    );
  }
  /** @returns what was asked for on each page, and what was read for it */
  async function walk(all: readonly Term[], isFull: (found: number) => boolean = () => false) {
    const orderOf = ({ id, value }: Term) => `${value.term}\n${id}`;
    const terms = all.toSorted((a, b) => (orderOf(a) < orderOf(b) ? -1 : 1));
    const pages: { found: string[]; passed: number; cut: boolean }[] = [];
    const read: string[] = [];
    const store = {
      page: (_: string, word: string, __: object, place: Parameters<TermsStore['page']>[3]) => {
        const { limit, cursor = '-1', behind = '' } = place;
        const rest = terms
          .map((term, at) => ({ term, at }))
          .filter(
            ({ term: { value }, at }) => value.term.startsWith(word) && value.term > behind && at > +cursor,
          );
        const items = rest.slice(0, limit);
        passed += items.filter(({ term }) => isOther(readTerm(term.value.term).mark)).length;
        const more = rest.length > limit ? { cursor: String(items.at(-1)?.at) } : {};
        return Promise.resolve({ items: items.map(({ term }) => term), ...more });
      },
    };
    const isOther = (mark: Mark | undefined) => mark !== undefined && mark.arch !== 'wanted';
    let passed = 0;
    let from: WalkPlace | undefined;
    do {
      const found: string[] = [];
      passed = 0;
      const sources = [{ kind: 'imageText', word: 'wor' }] as const;
      const { next, cut } = await gather<Candidate>(
        candidates(store, sources, [{ audience: '' }], from, isOther),
        from,
        {
          load: (batch) => Promise.resolve(void read.push(...batch.map(({ target }) => target))),
          take: (candidate) => candidate,
          add: ({ target }) => found.push(target),
          isFull: () => isFull(found.length),
        },
      );
      pages.push({ found, passed, cut });
      from = next;
    } while (from !== undefined);
    return { pages, read };
  }

  it('is passed over in one step, however many there are, and never read', async () => {
    const counts = { '': 3, '386': 5000, amd64: 5000, wanted: 2, zother: 5000 };
    const { pages, read } = await walk(marked('word', counts));
    const found = ['-00000', '-00001', '-00002', 'wanted-00000', 'wanted-00001'];
    expect(pages).toEqual([{ found, passed: expect.any(Number), cut: false }]);
    expect(pages[0]?.passed).toBeLessThan(4 * LIMITS.searchBatch);
    expect(read).toEqual(found);
  });

  it('is so much and no more for one answer, and the next one goes on behind it', async () => {
    const words = Array.from({ length: 1500 }, (_, at) => `word${String(at).padStart(4, '0')}`);
    const { pages } = await walk(words.flatMap((word) => marked(word, { amd64: 2, wanted: at(word) })));
    expect(pages.map(({ cut }) => cut)).toEqual([true, true, false]);
    for (const { passed } of pages) expect(passed).toBeLessThan(LIMITS.searchPassed + LIMITS.searchBatch * 2);
    expect(pages.flatMap(({ found }) => found)).toHaveLength(15);
  });

  it('does not change what is found, on however many pages', async () => {
    const terms = [
      ...marked('word', { amd64: 300, wanted: 301, zother: 10 }),
      ...marked('worm', { '': 9, wanted: 250 }),
    ];
    const [all] = (await walk(terms)).pages;
    expect(all?.found).toHaveLength(560);
    for (const most of [1, 7, LIMITS.searchBatch, 300, 301, 302, 560]) {
      const { pages } = await walk(terms, (found) => found >= most);
      expect(pages.flatMap(({ found }) => found)).toEqual(all?.found);
      expect(pages.every(({ cut }) => !cut)).toBe(true);
    }
  });

  /** One of a hundred words has one that is asked for. */
  const at = (word: string): number => (word.endsWith('50') ? 1 : 0);
});

it('seals where it goes on, for the same search alone', () => {
  const cursors = new SearchCursors(Buffer.alloc(32, 1));
  const place = { source: 0, audience: '', behind: 'secret-term', term: 'secret-term', id: 'x/1' };
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

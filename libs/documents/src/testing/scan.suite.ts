import { describe, expect, it } from 'vitest';
import { MAXIMUM_SCAN, type ScanOptions } from '../port.js';
import { newThings, type Subject, thing, type ThingIndex, type Things } from './things.js';

const idsOf = async (things: Things, index: ThingIndex, options: ScanOptions): Promise<string[]> =>
  (await things.scan(index, options)).items.map(({ id }) => id);

/** All pages of a scan, one page of `limit` after the other. */
export async function allPages(things: Things, index: ThingIndex, options: ScanOptions): Promise<string[][]> {
  const pages: string[][] = [];
  for (let cursor: string | undefined; ;) {
    const page = await things.scan(index, { ...options, ...(cursor === undefined ? {} : { cursor }) });
    pages.push(page.items.map(({ id }) => id));
    if (page.cursor === undefined) return pages;
    ({ cursor } = page);
  }
}

/** Ordered scans of an index: bounds, directions, pages. */
export function scanSuite(subject: () => Subject): void {
  describe('a scan', () => {
    const ranked = async (): Promise<Things> => {
      const things = newThings(subject().documents);
      await things.load(
        [
          ['d', 'g', 2],
          ['a', 'g', 2],
          ['b', 'g', 1],
          ['c', 'g', 3.5],
          ['e', 'h', 2],
          ['f', 'g', undefined],
        ].map(([id, group, rank]) => ({
          id: String(id),
          value: thing({ group: String(group), ...(rank === undefined ? {} : { rank: Number(rank) }) }),
        })),
      );
      return things;
    };

    it('gives equal values in the order of the ids, and leaves out documents without the field', async () => {
      const things = await ranked();
      expect(await idsOf(things, 'byRank', { equal: ['g'], limit: 10 })).toEqual(['b', 'a', 'd', 'c']);
      expect(await idsOf(things, 'byRank', { equal: ['g', 2], limit: 10 })).toEqual(['a', 'd']);
      expect(await idsOf(things, 'byRank', { limit: 10 })).toEqual(['b', 'a', 'd', 'c', 'e']);
      expect(await idsOf(things, 'byGroup', { equal: ['g'], limit: 10 })).toEqual(['a', 'b', 'c', 'd', 'f']);
    });

    it('gives what the index holds without the documents, no more than asked for', async () => {
      const things = await ranked();
      expect(await things.keys('byRank', { equal: ['g'], limit: 3 })).toEqual([
        { id: 'b', keys: ['g', 1] },
        { id: 'a', keys: ['g', 2] },
        { id: 'd', keys: ['g', 2] },
      ]);
      const last = await things.keys('byRank', { from: 'g', direction: 'descending', limit: 2 });
      expect(last).toEqual([
        { id: 'e', keys: ['h', 2] },
        { id: 'c', keys: ['g', 3.5] },
      ]);
      expect(await things.keys('byRank', { equal: ['nothing'], limit: 3 })).toEqual([]);
    });

    it('goes backwards', async () => {
      const things = await ranked();
      const direction = 'descending';
      expect(await idsOf(things, 'byRank', { equal: ['g'], direction, limit: 10 })).toEqual([
        'c',
        'd',
        'a',
        'b',
      ]);
      expect(await allPages(things, 'byRank', { direction, limit: 2 })).toEqual([
        ['e', 'c'],
        ['d', 'a'],
        ['b'],
      ]);
    });

    it('starts at `from` and ends before `before`, in both directions', async () => {
      const things = await ranked();
      const range = { equal: ['g'], from: 2, before: 3.5, limit: 10 };
      expect(await idsOf(things, 'byRank', range)).toEqual(['a', 'd']);
      expect(await idsOf(things, 'byRank', { ...range, direction: 'descending' })).toEqual(['d', 'a']);
      expect(await allPages(things, 'byRank', { ...range, from: 1, limit: 1 })).toEqual([
        ['b'],
        ['a'],
        ['d'],
      ]);
      expect(
        await allPages(things, 'byRank', { ...range, from: 1, limit: 1, direction: 'descending' }),
      ).toEqual([['d'], ['a'], ['b']]);
      expect(await idsOf(things, 'byGroup', { from: 'h', limit: 10 })).toEqual(['e']);
    });

    it('pages through everything once, with a cursor only when there is more', async () => {
      const things = await ranked();
      expect(await allPages(things, 'byRank', { equal: ['g'], limit: 3 })).toEqual([['b', 'a', 'd'], ['c']]);
      expect(await allPages(things, 'byRank', { equal: ['g'], limit: 2 })).toEqual([
        ['b', 'a'],
        ['d', 'c'],
      ]);
      expect(await allPages(things, 'byRank', { limit: 4 })).toEqual([['b', 'a', 'd', 'c'], ['e']]);
    });

    it('orders strings by their bytes, not by their characters', async () => {
      const things = newThings(subject().documents);
      const names = ['\u{1F600}', '\uFF5E', 'z', 'Z', 'é', 'a b', 'a', '', 'a!'];
      await things.load(names.map((name) => ({ id: `id-${name}`, value: thing({ name }) })));
      const sorted = names.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
      expect(await idsOf(things, 'byName', { limit: 20 })).toEqual(sorted.map((name) => `id-${name}`));
      expect((await allPages(things, 'byName', { limit: 2 })).flat()).toEqual(
        sorted.map((name) => `id-${name}`),
      );
      expect((await allPages(things, 'byName', { limit: 2, direction: 'descending' })).flat()).toEqual(
        sorted.toReversed().map((name) => `id-${name}`),
      );
    });

    it('keeps its place while documents come and go', async () => {
      const things = newThings(subject().documents);
      await things.load(
        Array.from({ length: 6 }, (_, n) => ({ id: `m${n}`, value: thing({ rank: n * 10 }) })),
      );
      const first = await things.scan('byRank', { equal: ['g'], limit: 2 });
      expect(first.items.map(({ id }) => id)).toEqual(['m0', 'm1']);
      await things.delete('m1'); // the very place
      await things.insert('before', thing({ rank: 5 }));
      await things.insert('behind', thing({ rank: 25 }));
      const rest = await things.scan('byRank', {
        equal: ['g'],
        limit: 10,
        ...(first.cursor === undefined ? {} : { cursor: first.cursor }),
      });
      expect(rest.items.map(({ id }) => id)).toEqual(['m2', 'behind', 'm3', 'm4', 'm5']);
    });

    it('refuses a cursor of another index, of another range, or of nobody', async () => {
      const things = await ranked();
      const { cursor } = await things.scan('byRank', { equal: ['g'], limit: 1 });
      const other = await things.scan('byGroup', { limit: 1 });
      const bad = expect.objectContaining({ reason: 'bad_cursor' });
      const attempts: [ThingIndex, ScanOptions][] = [
        ['byGroup', { limit: 1, cursor: cursor ?? '' }],
        ['byRank', { limit: 1, cursor: cursor ?? '' }],
        ['byRank', { equal: ['g'], from: 2, limit: 1, cursor: cursor ?? '' }],
        ['byRank', { equal: ['g'], limit: 1, cursor: other.cursor ?? '' }],
        ['byRank', { equal: ['g'], limit: 1, cursor: '' }],
        ['byRank', { equal: ['g'], limit: 1, cursor: 'x'.repeat(100_000) }],
        ['byRank', { equal: ['g'], limit: 1, cursor: Buffer.from('["byRank"]').toString('base64url') }],
      ];
      for (const [index, options] of attempts) await expect(things.scan(index, options)).rejects.toEqual(bad);
      const operator = Buffer.from('["byRank",{"$gt":0},"a"]').toString('base64url');
      await expect(things.scan('byRank', { equal: ['g'], limit: 1, cursor: operator })).rejects.toMatchObject(
        {
          code: 'bad_request',
        },
      );
    });

    it('has an end: a limit above the maximum, or none, is refused', async () => {
      const things = newThings(subject().documents);
      for (const limit of [0, -1, 1.5, MAXIMUM_SCAN + 1, Number.NaN])
        await expect(things.scan('byGroup', { limit })).rejects.toThrow(RangeError);
    });

    it('ends a page early when the documents are large, and loses none', async () => {
      const things = newThings(subject().documents);
      const note = 'x'.repeat(3 * 1024 * 1024);
      const ids = 'abcdefgh'.split('');
      for (const id of ids) await things.put(id, thing({ note }));
      const pages = await allPages(things, 'byGroup', { limit: 100 });
      expect(pages.length).toBeGreaterThan(1);
      expect(pages.flat()).toEqual(ids);
    });
  });
}

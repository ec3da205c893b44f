import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { Write } from '../port.js';
import { Feed } from './feed.js';
import { newThings, type Subject, thing, type Things } from './things.js';

const countOf = async (things: Things, id: string): Promise<number | undefined> =>
  (await things.get(id))?.value.count;

/** Several writes as one, unique indexes, and many writers at once. */
export function commitSuite(subject: () => Subject): void {
  describe('a commit', () => {
    it('applies all its writes, in order, over several collections', async () => {
      const { documents } = subject();
      const [one, two] = [newThings(documents), newThings(documents)];
      await one.insert('old', thing());
      const { revision } = (await one.get('old')) ?? { revision: 0 };
      const result = await documents.commit([
        one.write.insert('a', thing({ count: 1 })),
        one.write.increment('a', 'count', 2),
        one.write.put('b', thing({ count: 5 })),
        one.write.replace('old', revision, thing({ count: 9 })),
        two.write.insert('a', thing({ count: 4 })),
        two.write.delete('nobody'),
        one.write.delete('b'),
      ]);
      expect(result).toEqual({ ok: true });
      expect([
        await countOf(one, 'a'),
        await countOf(one, 'b'),
        await countOf(one, 'old'),
        await countOf(two, 'a'),
      ]).toEqual([3, undefined, 9, 4]);
    });

    it.each<[string, (things: Things, revision: number) => Write, string]>([
      ['an id that exists', (things) => things.write.insert('there', thing()), 'exists'],
      [
        'a revision that is old',
        (things, revision) => things.write.replace('there', revision - 1, thing()),
        'changed',
      ],
      [
        'a replaced document that is not there',
        (things, revision) => things.write.replace('none', revision, thing()),
        'changed',
      ],
      [
        'a deleted document that changed',
        (things, revision) => things.write.delete('there', revision - 1),
        'changed',
      ],
      [
        'a deleted document that is gone',
        (things, revision) => things.write.delete('none', revision),
        'missing',
      ],
      ['a counter that is not there', (things) => things.write.increment('none', 'count', 1), 'missing'],
      [
        'a counter at its bound',
        (things) => things.write.increment('there', 'count', 1, { maximum: 5 }),
        'bounds',
      ],
      [
        'a unique value that is taken',
        (things) => things.write.put('other', thing({ name: 'taken' })),
        'exists',
      ],
    ])('is refused whole because of %s, and says which write it was', async (_, make, because) => {
      const { documents } = subject();
      const things = newThings(documents);
      await things.insert('there', thing({ count: 5, name: 'taken' }));
      await things.insert('gone', thing());
      const before = await things.get('there');
      const result = await documents.commit([
        things.write.insert('new', thing()),
        things.write.delete('gone'),
        things.write.put('there', thing({ count: 5, name: 'taken' })),
        // Its revision is one further now: the refused write is made for that.
        make(things, (before?.revision ?? 0) + 1),
        things.write.insert('never', thing()),
      ]);
      expect(result).toEqual({ ok: false, failed: 3, because });
      expect(await things.get('new')).toBeUndefined();
      expect(await things.get('never')).toBeUndefined();
      expect(await countOf(things, 'gone')).toBe(0);
      expect(await things.get('there')).toEqual(before);
    });

    it('takes nothing, and no more than its maximum', async () => {
      const { documents } = subject();
      const things = newThings(documents);
      expect(await documents.commit([])).toEqual({ ok: true });
      const writes = Array.from({ length: 501 }, (_, n) => things.write.put(`d${n}`, thing()));
      await expect(documents.commit(writes)).rejects.toThrow(RangeError);
      expect(await documents.commit(writes.slice(1))).toEqual({ ok: true });
      expect((await things.scan('byGroup', { limit: 1000 })).items).toHaveLength(500);
    });

    it('refuses a write that did not come from a collection', async () => {
      const forged = { collection: 'x', kind: 'delete', id: 'a', value: { $set: 1 } } as Write;
      await expect(subject().documents.commit([forged])).rejects.toThrow(/made by Collection.write/);
    });
  });

  describe('a unique index', () => {
    it('lets each value in once, whichever way it comes, and again when it is free', async () => {
      const things = newThings(subject().documents);
      await things.insert('a', thing({ name: 'n' }));
      expect(await things.insert('b', thing({ name: 'n' }))).toBe('exists');
      const taken = expect.objectContaining({ code: 'conflict', reason: 'value_taken' });
      await expect(things.put('b', thing({ name: 'n' }))).rejects.toEqual(taken);
      await expect(things.update('b', () => thing({ name: 'n' }))).rejects.toEqual(taken);
      await things.insert('c', thing({ name: 'm' }));
      const { revision } = (await things.get('c')) ?? { revision: 0 };
      await expect(things.replace('c', revision, thing({ name: 'n' }))).rejects.toEqual(taken);
      await expect(things.load([{ id: 'd', value: thing({ name: 'n' }) }])).rejects.toThrow(Error);
      await things.put('a', thing({ name: 'other' }));
      expect(await things.insert('b', thing({ name: 'n' }))).toBe('inserted');
    });

    it('does not count documents without the field', async ({ skip }) => {
      if (subject().gaps.has('unique-indexes-hold-absent-fields'))
        skip('the stand-in has no partial indexes');
      const things = newThings(subject().documents);
      expect(await things.insert('a', thing())).toBe('inserted');
      expect(await things.insert('b', thing())).toBe('inserted');
    });
  });

  describe('many writers at once', () => {
    const fifty = Array.from({ length: 50 }, (_, n) => n);

    it('lose no increment', async () => {
      const things = newThings(subject().documents);
      await things.insert('a', thing());
      const values = await Promise.all(
        fifty.map(async () => {
          const result = await things.increment('a', 'count', 1);
          return result.ok ? result.value : -1;
        }),
      );
      expect(values.toSorted((a, b) => a - b)).toEqual(fifty.map((n) => n + 1));
      expect(await countOf(things, 'a')).toBe(50);
    });

    it('lose no update', async () => {
      const things = newThings(subject().documents);
      await Promise.all(
        fifty.map(() => things.update('a', (value) => thing({ count: (value?.count ?? 0) + 1 }))),
      );
      expect(await countOf(things, 'a')).toBe(50);
    });

    it('insert one document of one id', async () => {
      const things = newThings(subject().documents);
      const results = await Promise.all(fifty.map((n) => things.insert('a', thing({ count: n }))));
      expect(results.filter((result) => result === 'inserted')).toHaveLength(1);
      expect(await countOf(things, 'a')).toBe(results.indexOf('inserted'));
    });

    it('never take more than a bounded counter has', async () => {
      const { documents } = subject();
      const things = newThings(documents);
      await things.insert('quota', thing({ count: 10 }));
      const results = await Promise.all(
        fifty.map((n) =>
          documents.commit([
            things.write.insert(`part${n}`, thing({ group: 'part' })),
            things.write.increment('quota', 'count', -1, { minimum: 0 }),
          ]),
        ),
      );
      expect(results.filter(({ ok }) => ok)).toHaveLength(10);
      expect(await countOf(things, 'quota')).toBe(0);
      expect((await things.scan('byGroup', { equal: ['part'], limit: 100 })).items).toHaveLength(10);
    });

    it('give a feed whose readers skip nothing, however they race', async () => {
      const feed = new Feed(subject().documents, `feed${Date.now().toString(36)}`);
      const seen: number[] = [];
      let writing = true;
      const reader = (async () => {
        // The last look is after the last write.
        for (let last = false; !last;) {
          last = !writing;
          seen.push(...(await feed.after(seen.at(-1) ?? 0)));
          // Reads of SQLite end within the turn: without this nothing else would ever happen.
          await turn();
        }
      })();
      await Promise.all(
        [1, 2, 3, 4].map(async (writer) => {
          for (let n = 0; n < 5; n += 1) await feed.append(`w${writer}`);
        }),
      );
      writing = false;
      await reader;
      expect(seen).toEqual(Array.from({ length: 20 }, (_, n) => n + 1));
      expect(await feed.head()).toBe(20);
    });
  });
}

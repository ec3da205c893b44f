import { DomainError } from '#libs/core';
import { describe, expect, it } from 'vitest';
import { DOCUMENT_LIMITS } from '../limits.js';
import { newThings, type Subject, thing, type Thing } from './things.js';

const refusal = (code: string): unknown => expect.objectContaining({ name: 'DomainError', code });

/** One document at a time: what every way to write it does, and what may not be stored. */
export function basicsSuite(subject: () => Subject): void {
  describe('one document', () => {
    it('is read back as it was written, and absent ones are undefined', async () => {
      const things = newThings(subject().documents);
      const note = {
        text: 'ß\u{1F600}\0',
        list: [1, { a: [null, true] }],
        big: 2 ** 53,
        small: 0.1,
        no: null,
      };
      expect(await things.insert('a', thing({ rank: -1.5, note }))).toBe('inserted');
      expect((await things.get('a'))?.value).toEqual(thing({ rank: -1.5, note }));
      expect(await things.get('b')).toBeUndefined();
    });

    it('is not inserted twice, and the first stays', async () => {
      const things = newThings(subject().documents);
      await things.insert('a', thing({ count: 1 }));
      expect(await things.insert('a', thing({ count: 2 }))).toBe('exists');
      expect((await things.get('a'))?.value.count).toBe(1);
    });

    it('is inserted or overwritten by put', async () => {
      const things = newThings(subject().documents);
      await things.put('a', thing({ count: 1, rank: 1 }));
      await things.put('a', thing({ count: 2 }));
      expect((await things.get('a'))?.value).toEqual(thing({ count: 2 }));
      expect((await things.scan('byRank', { equal: ['g'], limit: 5 })).items).toEqual([]);
    });

    it('is replaced only at the revision that was read, which grows with every write', async () => {
      const things = newThings(subject().documents);
      await things.insert('a', thing());
      const first = await things.get('a');
      expect(await things.replace('a', first?.revision ?? 0, thing({ count: 1 }))).toBe('replaced');
      expect(await things.replace('a', first?.revision ?? 0, thing({ count: 2 }))).toBe('changed');
      expect(await things.replace('none', 1, thing())).toBe('changed');
      const second = await things.get('a');
      expect(second?.value.count).toBe(1);
      await things.put('a', thing());
      await things.increment('a', 'count', 1);
      const third = await things.get('a');
      expect([first, second, third].map((one) => one?.revision ?? 0)).toEqual(
        [first, second, third].map((one) => one?.revision ?? 0).toSorted((a, b) => a - b),
      );
      expect(new Set([first, second, third].map((one) => one?.revision)).size).toBe(3);
    });

    it('is not replaced by a revision from before it was deleted and made again', async () => {
      const things = newThings(subject().documents);
      await things.insert('a', thing());
      const before = await things.get('a');
      await things.delete('a');
      await things.insert('a', thing({ count: 7 }));
      expect(await things.replace('a', before?.revision ?? 0, thing())).toBe('changed');
      expect((await things.get('a'))?.value.count).toBe(7);
    });

    it('is deleted, at a revision when one is given', async () => {
      const things = newThings(subject().documents);
      await things.insert('a', thing());
      const { revision } = (await things.get('a')) ?? { revision: 0 };
      expect(await things.delete('a', revision + 1)).toBe('changed');
      expect(await things.delete('a', revision)).toBe('deleted');
      expect(await things.delete('a', revision)).toBe('missing');
      expect(await things.delete('a')).toBe('missing');
      await things.insert('a', thing());
      expect(await things.delete('a')).toBe('deleted');
      expect(await things.get('a')).toBeUndefined();
    });

    it('is incremented within its bounds, or not at all', async () => {
      const things = newThings(subject().documents);
      expect(await things.increment('a', 'count', 1)).toEqual({ ok: false, because: 'missing' });
      await things.insert('a', thing({ count: 5 }));
      expect(await things.increment('a', 'rank', 1)).toEqual({ ok: false, because: 'missing' });
      expect(await things.increment('a', 'group', 1)).toEqual({ ok: false, because: 'missing' });
      expect(await things.increment('a', 'count', 3, { maximum: 8 })).toEqual({ ok: true, value: 8 });
      expect(await things.increment('a', 'count', 1, { maximum: 8 })).toEqual({
        ok: false,
        because: 'bounds',
      });
      expect(await things.increment('a', 'count', -9, { minimum: 0 })).toEqual({
        ok: false,
        because: 'bounds',
      });
      expect(await things.increment('a', 'count', 2 ** 40)).toEqual({ ok: true, value: 2 ** 40 + 8 });
      expect(await things.increment('a', 'count', Number.MAX_SAFE_INTEGER)).toEqual({
        ok: false,
        because: 'bounds',
      });
      expect((await things.get('a'))?.value).toEqual(thing({ count: 2 ** 40 + 8 }));
      const { items } = await things.scan('byCount', { from: 2 ** 40, limit: 2 });
      expect(items.map(({ id }) => id)).toEqual(['a']);
    });

    it('is changed by update, made by it, or left alone', async () => {
      const things = newThings(subject().documents);
      const add = (value: Thing | undefined): Thing => thing({ count: (value?.count ?? 0) + 1 });
      expect(await things.update('a', () => undefined)).toBeUndefined();
      expect(await things.get('a')).toBeUndefined();
      expect((await things.update('a', add))?.count).toBe(1);
      expect((await things.update('a', add))?.count).toBe(2);
      expect((await things.update('a', () => undefined))?.count).toBe(2);
      const more = { ...thing({ count: 2 }), unknown: true };
      expect(await things.update('a', () => more)).toEqual(thing({ count: 2 }));
      expect((await things.get('a'))?.value).toEqual(thing({ count: 2 }));
      expect((await things.get('a'))?.value.count).toBe(2);
    });

    it('can be fetched with others, in the order asked, absent ones left out', async () => {
      const things = newThings(subject().documents);
      expect(await things.load(['a', 'b', 'c'].map((id) => ({ id, value: thing({ group: id }) })))).toBe(3);
      const found = await things.getMany(['c', 'x', 'a', 'c']);
      expect(found.map(({ id, value }) => [id, value.group])).toEqual([
        ['c', 'c'],
        ['a', 'a'],
        ['c', 'c'],
      ]);
      expect(await things.getMany([])).toEqual([]);
    });
  });

  describe('what is refused', () => {
    const nested = (levels: number): unknown => (levels === 0 ? 1 : { a: nested(levels - 1) });

    it.each<[string, string, unknown]>([
      ['an operator as a key', 'bad_request', { $set: { count: 1 } }],
      ['an operator deeper down', 'bad_request', { list: [{ $where: 'x' }] }],
      ['a key with a dot', 'bad_request', { 'a.b': 1 }],
      ['an empty key', 'bad_request', { '': 1 }],
      ['a key that is a prototype', 'bad_request', JSON.parse('{"__proto__":{"admin":true}}')],
      ['an array in an array', 'bad_request', [[1]]],
      ['too many levels', 'bad_request', nested(DOCUMENT_LIMITS.depth)],
      ['a lone surrogate', 'bad_request', '\ud800'],
      ['a number that is not finite', 'bad_request', Number.POSITIVE_INFINITY],
      ['a document that is too large', 'too_large', 'x'.repeat(DOCUMENT_LIMITS.documentBytes)],
    ])('%s', async (_, code, note) => {
      const things = newThings(subject().documents);
      await expect(things.insert('a', thing({ note }))).rejects.toEqual(refusal(code));
      await expect(things.put('a', thing({ note }))).rejects.toEqual(refusal(code));
      await expect(things.replace('a', 1, thing({ note }))).rejects.toEqual(refusal(code));
      await expect(things.update('a', () => thing({ note }))).rejects.toEqual(refusal(code));
      await expect(things.load([{ id: 'a', value: thing({ note }) }])).rejects.toEqual(refusal(code));
      expect(() => things.write.insert('a', thing({ note }))).toThrow(DomainError);
      expect(await things.get('a')).toBeUndefined();
    });

    it.each([
      ['nothing', ''],
      ['too long', 'x'.repeat(DOCUMENT_LIMITS.idBytes + 1)],
      ['a NUL', 'a\0b'],
      ['a lone surrogate', '\udc00'],
      ['an operator', { $gt: '' } as unknown as string],
    ])('an id that is %s', async (_, id) => {
      const things = newThings(subject().documents);
      await expect(things.get(id)).rejects.toEqual(refusal('bad_request'));
      await expect(things.getMany([id])).rejects.toEqual(refusal('bad_request'));
      await expect(things.delete(id)).rejects.toEqual(refusal('bad_request'));
      await expect(things.insert(id, thing())).rejects.toEqual(refusal('bad_request'));
      await expect(things.increment(id, 'count', 1)).rejects.toEqual(refusal('bad_request'));
    });

    it('an operator where a scan takes a value', async () => {
      const things = newThings(subject().documents);
      const operator = { $gt: '' } as unknown as string;
      for (const options of [{ equal: [operator] }, { from: operator }, { before: operator }])
        await expect(things.scan('byGroup', { ...options, limit: 1 })).rejects.toEqual(
          refusal('bad_request'),
        );
    });

    it('dates and other things that JSON has no form for, as a mistake of ours', async () => {
      const things = newThings(subject().documents);
      for (const note of [new Date(), new Map(), () => 1, 1n])
        await expect(things.insert('a', thing({ note }))).rejects.toThrow(TypeError);
    });

    it('a document that does not fit its schema, as a mistake of ours', async () => {
      const things = newThings(subject().documents);
      await expect(things.insert('a', { group: 1 } as unknown as Thing)).rejects.toThrow(/fits its schema/);
    });

    it('accepts ids and values at the very limits', async () => {
      const things = newThings(subject().documents);
      const id = 'é'.repeat(DOCUMENT_LIMITS.idBytes / 2);
      const group = 'x'.repeat(DOCUMENT_LIMITS.indexStringBytes);
      const note = nested(DOCUMENT_LIMITS.depth - 2);
      expect(await things.insert(id, thing({ group, note }))).toBe('inserted');
      const { items } = await things.scan('byGroup', { equal: [group], limit: 1 });
      expect(items.map((one) => one.id)).toEqual([id]);
    });

    it('keeps what only looks like an operator as the text it is', async () => {
      const things = newThings(subject().documents);
      await things.insert('$where.x', thing({ group: '$group.id', note: '$$ROOT' }));
      expect((await things.get('$where.x'))?.value.note).toBe('$$ROOT');
      const { items } = await things.scan('byGroup', { equal: ['$group.id'], limit: 2 });
      expect(items).toHaveLength(1);
    });
  });
}

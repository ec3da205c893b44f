import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { planCollection } from './checks.js';
import { KeyedLock } from './keyed-lock.js';
import { collectionKeys } from './keys.js';
import { DOCUMENT_LIMITS } from './limits.js';

const spec = (name: string, indexes: Record<string, { fields: string[] }> = {}) => ({
  name,
  schema: z.object({}),
  indexes,
});

describe('a collection', () => {
  it.each([
    ['a name with a quote', spec('a"b')],
    ['a name with a dot', spec('a.b')],
    ['an empty name', spec('')],
    ['an index with a quote in its name', spec('a', { 'x"': { fields: ['f'] } })],
    ['a field that is a path', spec('a', { x: { fields: ['f.g'] } })],
    ['a field that is an operator', spec('a', { x: { fields: ['$where'] } })],
    ['an index without fields', spec('a', { x: { fields: [] } })],
    ['an index with a field twice', spec('a', { x: { fields: ['f', 'f'] } })],
    [
      'an index with too many fields',
      spec('a', {
        x: { fields: Array.from({ length: DOCUMENT_LIMITS.indexFields + 1 }, (_, n) => `f${n}`) },
      }),
    ],
    ['fields that differ in case only', spec('a', { x: { fields: ['f', 'F'] } })],
    ['indexes that differ in case only', spec('a', { x: { fields: ['f'] }, X: { fields: ['g'] } })],
  ])('is refused with %s', (_, wrong) => {
    expect(() => planCollection(wrong)).toThrow(/^Expected/);
  });

  it('has an index over strings or over numbers, not over both and not over anything else', () => {
    const plan = planCollection(spec('a', { x: { fields: ['f', 'g'] } }));
    const types = new Map();
    expect(collectionKeys(plan, { f: 'text', g: 1 }, types)).toEqual(['text', 1]);
    expect(collectionKeys(plan, { f: 'text' }, types)).toEqual(['text', null]);
    expect(collectionKeys(plan, { g: -0 }, types)).toEqual([null, 0]);
    for (const wrong of [
      { f: 1 },
      { g: 'text' },
      { f: null },
      { f: true },
      { f: ['text'] },
      { f: { $gt: '' } },
    ])
      expect(() => collectionKeys(plan, wrong, types)).toThrow(TypeError);
    expect(collectionKeys(plan, JSON.parse('{"__proto__":{"f":"x"}}') as object, types)).toEqual([
      null,
      null,
    ]);
  });
});

describe('a lock by key', () => {
  it('lets one in at a time, in order, and others pass; a failure lets the next in; nothing is kept', async () => {
    const lock = new KeyedLock();
    const said: string[] = [];
    const open = new Map<string, () => void>();
    const work = (name: string) => async () => {
      said.push(`${name} begins`);
      await new Promise<void>((resolve) => open.set(name, resolve));
      said.push(`${name} ends`);
      if (name === 'a1') throw new Error('a1 fails');
      return name;
    };
    const [a1, a2, b] = [lock.run('a', work('a1')), lock.run('a', work('a2')), lock.run('b', work('b'))];
    const failed = a1.catch((error: unknown) => String(error));
    await Promise.resolve();
    await Promise.resolve();
    expect(said).toEqual(['a1 begins', 'b begins']);
    open.get('b')?.();
    expect(await b).toBe('b');
    open.get('a1')?.();
    expect(await failed).toBe('Error: a1 fails');
    await expect.poll(() => said).toContain('a2 begins');
    open.get('a2')?.();
    expect(await a2).toBe('a2');
  });
});

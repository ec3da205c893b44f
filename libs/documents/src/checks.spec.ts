import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { planCollection } from './checks.js';
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

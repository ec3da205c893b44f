import Database from 'better-sqlite3';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { planCollection } from '../checks.js';
import type { CheckedScan } from '../driver.js';
import { openDocuments } from '../open.js';
import { thing, thingsSpec } from '../testing/things.js';
import { parametersOf, scanOf, selectOf, shapeOf } from './statements.js';

const plan = planCollection(thingsSpec('things'));
const index = (name: string): CheckedScan['index'] => {
  const found = plan.indexes.find((one) => one.name === name);
  if (found === undefined) throw new Error(name);
  return found;
};
const base = { equal: [], descending: false, limit: 10 };

describe('the query plan', () => {
  let folder: string;
  let database: Database.Database;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'scs-plan-'));
    const documents = await openDocuments(`sqlite:${folder}`, { service: 'plan' });
    const things = documents.collection(thingsSpec('things'));
    await things.load(
      Array.from({ length: 200 }, (_, n) => ({
        id: `t${n}`,
        value: thing({ group: `g${n % 3}`, rank: n % 7, name: `n${n}`, count: n }),
      })),
    );
    await documents.close();
    database = new Database(join(folder, 'plan.sqlite'), { readonly: true });
  });
  afterAll(async () => {
    database.close();
    await rm(folder, { recursive: true });
  });

  const explain = (sql: string, parameters: readonly unknown[]): string =>
    database
      .prepare<unknown[], { detail: string }>(`EXPLAIN QUERY PLAN ${sql}`)
      .all(...parameters)
      .map(({ detail }) => detail)
      .join('; ');

  it('of a read by id is one search of the key', () => {
    expect(explain(selectOf(plan), ['t1'])).toMatch(
      /^SEARCH things USING INDEX sqlite_autoindex_things_1 \(id=\?\)$/,
    );
  });

  it.each<[string, CheckedScan, RegExp]>([
    [
      'the first page of everything',
      { ...base, index: index('byRank') },
      /^SEARCH things USING INDEX things\.byRank \(k_group>\?\)$/,
    ],
    [
      'an equal field',
      { ...base, index: index('byRank'), equal: ['g1'] },
      /^SEARCH things USING INDEX things\.byRank \(k_group=\? AND k_rank>\?\)$/,
    ],
    [
      'an equal field and a range',
      { ...base, index: index('byRank'), equal: ['g1'], from: 1, before: 5 },
      /^SEARCH things USING INDEX things\.byRank \(k_group=\? AND k_rank>\? AND k_rank<\?\)$/,
    ],
    [
      'a later page',
      { ...base, index: index('byRank'), equal: ['g1'], after: { keys: [2], id: 't5' } },
      /^SEARCH things USING INDEX things\.byRank \(k_group=\? AND \(k_rank,id\)>\(\?,\?\)\)$/,
    ],
    [
      'a later page backwards, in a range',
      {
        ...base,
        index: index('byRank'),
        equal: ['g1'],
        from: 1,
        before: 5,
        descending: true,
        after: { keys: [2], id: 't5' },
      },
      /^SEARCH things USING INDEX things\.byRank \(k_group=\? AND \(k_rank,id\)<\(\?,\?\) AND k_rank>\?\)$|\(k_group=\? AND k_rank>\? AND \(k_rank,id\)<\(\?,\?\)\)$/,
    ],
    [
      'a later page of everything',
      { ...base, index: index('byRank'), after: { keys: ['g1', 2], id: 't5' } },
      /^SEARCH things USING INDEX things\.byRank \(\(k_group,k_rank,id\)>\(\?,\?,\?\)\)$/,
    ],
    [
      'all fields equal, a later page',
      { ...base, index: index('byRank'), equal: ['g1', 2], after: { keys: [], id: 't5' } },
      /^SEARCH things USING INDEX things\.byRank \(k_group=\? AND k_rank=\? AND id>\?\)$/,
    ],
    [
      'a unique index, a later page backwards',
      { ...base, index: index('byName'), descending: true, after: { keys: ['n5'], id: 't5' } },
      /^SEARCH things USING INDEX things\.byName \(k_name<\?\)$|\(k_name>\? AND k_name<\?\)$/,
    ],
  ])('of a scan never sorts and reads only its part of the index: %s', (_, scan, plan_) => {
    const text = explain(scanOf(plan, scan, 'documents'), parametersOf(scan, 11));
    expect(text).toMatch(plan_);
    expect(text).not.toMatch(/TEMP B-TREE/);
    // The same place, and no look at the documents; unique indexes do not hold the id.
    const keys = explain(scanOf(plan, scan, 'keys'), parametersOf(scan, 11));
    expect(keys).toBe(scan.index.unique ? text : text.replace('USING INDEX', 'USING COVERING INDEX'));
  });

  const shapes: CheckedScan[] = [index('byRank'), index('byName')].flatMap((one) =>
    [[], ['g1']].slice(0, one.fields.length).flatMap((equal) =>
      [true, false].flatMap((descending) =>
        [{}, { after: { keys: one.fields.slice(equal.length).map(() => 1), id: 't' } }].flatMap((after) =>
          [{}, { from: 1 }, { before: 2 }, { from: 1, before: 2 }].map((bounds) => ({
            index: one,
            limit: 10,
            equal,
            descending,
            ...after,
            ...bounds,
          })),
        ),
      ),
    ),
  );

  it('is made once for each shape of a scan: its text depends on nothing else', () => {
    const texts = new Map<string, string>();
    for (const scan of shapes) {
      const shape = `${scan.index.name} ${shapeOf(scan)}`;
      const text = scanOf(plan, scan, 'documents');
      expect(texts.get(shape) ?? text).toBe(text);
      texts.set(shape, text);
      expect(text.match(/\?/g)).toHaveLength(parametersOf(scan, 11).length);
    }
    expect(texts.size).toBe(shapes.length);
  });

  it('is kept whatever the values are: no parameter stands bare, where SQLite would plan anew for each', () => {
    for (const scan of shapes)
      expect(scanOf(plan, scan, 'documents').replaceAll(/\+\?|\? \+ 0/g, '')).not.toContain('?');
  });
});

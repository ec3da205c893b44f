import Database from 'better-sqlite3';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { planCollection } from '../checks.js';
import type { CheckedScan } from '../driver.js';
import { openDocuments } from '../open.js';
import { thing, thingsSpec } from '../testing/things.js';
import { scanOf, selectOf } from './statements.js';

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
    const { sql, parameters } = scanOf(plan, scan);
    const text = explain(sql, parameters);
    expect(text).toMatch(plan_);
    expect(text).not.toMatch(/TEMP B-TREE/);
  });
});

import { join } from 'node:path';
import { KeystoreModule } from '#apps/keystore/src/keystore.module';
import { MongoClient } from 'mongodb';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type StartedApp, startApp } from '../../support/app.js';
import { type MemoryMongo, startMemoryMongo } from '../../support/memory-mongo.js';
import { unserved } from '../../support/mongo-plan.js';
import { skipped } from '../../support/needs.js';
import { endlessOf, hintsOf, indexesOf, unindexedOf, unservedOf } from '../../support/query-plans.js';
import { type Asked, plansOf, watchStatements } from '../../support/sqlite-statements.js';
import { TestAuthority } from '../../support/tokens.js';
import { askEverything } from './every-question.js';

/** Every index of the keystore's own collections: all of them have to come up, or not everything was asked. */
const INDEXES = [
  'blocked.bySince',
  'certificates.byExpiry',
  'certificates.byFingerprint',
  'changes.bySequence',
  'handles.byHandle',
  'holdings.byExpiry',
  'holdings.byFingerprint',
  'keyrings.byOrganisation',
  'notices.byAccount',
  'notices.byEnd',
];

async function askAll(env: Readonly<Record<string, string>>): Promise<StartedApp> {
  const authority = await TestAuthority.make();
  const app = await startApp({
    modules: [KeystoreModule, authority.module()],
    env: {
      SCS_SERVICES: 'keystore',
      SCS_AUTH_URL: 'https://localhost:1',
      SCS_WKD_DOMAINS: 'example.net',
      ...env,
    },
  });
  await askEverything(app, authority, 'example.net');
  return app;
}

describe('on MongoDB, everything that the keystore asks', () => {
  let mongo: MemoryMongo;
  let app: StartedApp;
  beforeAll(async () => {
    mongo = await startMemoryMongo();
    app = await askAll({ SCS_DATABASE_URL: mongo.url() });
  });
  afterAll(async () => {
    await app.stop();
    await mongo.close();
  });

  it('is read from one stretch of an index that was declared, in its order and with an end', () => {
    expect(unservedOf(mongo)).toEqual([]);
  });

  it('goes by every index that there is', () => {
    expect(hintsOf(mongo)).toEqual(INDEXES);
  });

  const real = process.env['SCS_TEST_MONGO_URL'] ?? '';
  const none = real === '' ? 'SCS_TEST_MONGO_URL is not set' : undefined;
  it.skipIf(none)(`is answered so by a MongoDB, by its own word${skipped(none)}`, async () => {
    const client = new MongoClient(real);
    const db = client.db(`t${Date.now().toString(36)}plans`);
    try {
      const names = new Set(mongo.commands.flatMap(({ find }) => (find === undefined ? [] : [String(find)])));
      for (const name of names) {
        const [records, indexes] = [mongo.recordsOf(name), mongo.indexesOf(name)];
        if (indexes.length > 0) await db.command({ createIndexes: name, indexes });
        if (records.length > 0) await db.collection(name).insertMany([...records]);
      }
      const wrong: string[] = [];
      for (const { find, filter, sort, limit, hint, projection } of mongo.commands) {
        if (find === undefined) continue;
        const question = JSON.stringify({ find, filter, sort, limit, hint, projection });
        const explained = await db.command({ explain: JSON.parse(question), verbosity: 'executionStats' });
        const { totalKeysExamined: keys, nReturned: given } = explained['executionStats'];
        const sought = Number(filter._id?.$in?.length ?? 1);
        if (
          /"(?:SORT|COLLSCAN)"/.test(JSON.stringify(explained['queryPlanner'])) ||
          keys > given + 2 * sought
        )
          wrong.push(`${keys} keys for ${given} documents: ${question}`);
      }
      expect(wrong).toEqual([]);
    } finally {
      await db.dropDatabase();
      await client.close();
    }
  });
});

describe('a find of MongoDB is not read from one stretch of an index', () => {
  const index = {
    name: 'scs_byRank',
    key: { 'v.group': 1, 'v.rank': 1, _id: 1 },
    partialFilterExpression: { 'v.group': { $exists: true }, 'v.rank': { $exists: true } },
  };
  const there = { $exists: true };
  const good = {
    find: 'things',
    filter: { 'v.group': { $eq: 'g', ...there }, 'v.rank': { $gt: 1, ...there } },
    sort: { 'v.rank': -1, _id: -1 },
    limit: 10,
    hint: 'scs_byRank',
  };
  const why = (changed: object): string | undefined => unserved({ ...good, ...changed }, () => [index]);

  it('unless it is', () => {
    expect(why({})).toBeUndefined();
    expect(why({ filter: { _id: 'a' }, limit: undefined, hint: undefined })).toBeUndefined();
  });

  it.each<[string, object, string]>([
    ['without a limit', { limit: undefined }, 'limit'],
    ['without an index', { hint: undefined }, 'no index'],
    ['by a pattern', { filter: { 'v.group': { $regex: '^g' }, 'v.rank': there } }, '$regex'],
    ['by one or the other', { filter: { $or: [{ 'v.group': 'g' }, { 'v.group': 'h' }] } }, 'no stretch'],
    ['that may find what is not in the index', { filter: { 'v.group': { $eq: 'g', ...there } } }, 'v.rank'],
    [
      'behind a bound',
      { filter: { 'v.group': { $gt: 'g', ...there }, 'v.rank': { $eq: 1, ...there } } },
      'behind',
    ],
    ['by another field', { filter: { ...good.filter, 'v.name': { $eq: 'n' } } }, 'v.name'],
    ['in another order', { sort: { 'v.name': 1 } }, 'sorted'],
    ['in two directions', { sort: { 'v.rank': 1, _id: -1 } }, 'both ways'],
  ])('%s', (_, changed, part) => {
    expect(why(changed)).toContain(part);
  });
});

describe('on SQLite, everything that the keystore asks', () => {
  let app: StartedApp;
  let asked: readonly Asked[];
  let plans: ReadonlyMap<string, readonly string[]>;
  beforeAll(async () => {
    const watch = watchStatements();
    try {
      app = await askAll({});
    } finally {
      watch.stop();
    }
    asked = watch.asked().filter(({ sql }) => sql.includes(' FROM '));
    plans = plansOf(join(app.home, 'data/keystore/keystore.sqlite'), asked);
  });
  afterAll(() => app.stop());

  it('is one search of an index, without a walk through a table and without sorting', () => {
    expect(unindexedOf(plans, 'search')).toEqual([]);
  });

  it('has an end', () => {
    expect(endlessOf(asked)).toEqual([]);
  });

  it('goes by every index that there is', () => {
    expect(indexesOf(plans)).toEqual(INDEXES);
  });
});

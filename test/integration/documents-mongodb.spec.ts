import { randomBytes } from 'node:crypto';
import { MongoClient } from 'mongodb';
import { describe, expect, it } from 'vitest';
import { openDocuments } from '#libs/documents';
import { planCollection } from '../../libs/documents/src/checks.js';
import type { CheckedScan } from '../../libs/documents/src/driver.js';
import { stretches } from '../../libs/documents/src/mongodb/records.js';
import { documentsSuite } from '../../libs/documents/src/testing/documents.suite.js';
import { type Subject, thing, thingsSpec } from '../../libs/documents/src/testing/things.js';
import { lackingMongo, startMongo } from '../support/ferretdb.js';
import { skipped } from '../support/needs.js';

/**
 * What the stand-in does not do; nothing is missing where SCS_TEST_MONGO_URL names a MongoDB.
 * `commits-are-sequential` comes from the switch `scsTestOnly=sequential-commits` in its address: it has no transactions.
 */
const FERRETDB_GAPS: Subject['gaps'] = new Set([
  'commits-are-sequential',
  'unique-indexes-hold-absent-fields',
]);
const newDatabase = (): string => `t${randomBytes(4).toString('hex')}`;
const reason = lackingMongo();

describe.skipIf(reason)(`documents over MongoDB${skipped(reason)}`, () => {
  documentsSuite(
    async () => {
      const server = await startMongo();
      const documents = await openDocuments(server.url({ database: newDatabase() }), { service: 'suite' });
      return {
        documents,
        gaps: server.kind === 'ferretdb' ? FERRETDB_GAPS : new Set(),
        close: async () => {
          await documents.close();
          await server.stop();
        },
      };
    },
    { runs: 25 },
  );
});

const real = process.env['SCS_TEST_MONGO_URL'] ?? '';
const noMongo = real === '' ? 'SCS_TEST_MONGO_URL is not set' : undefined;

describe.skipIf(noMongo)(`the query plan of MongoDB${skipped(noMongo)}`, () => {
  it('of every stretch of a scan reads its part of the index, sorted as it is', async () => {
    const server = await startMongo();
    const url = server.url({ database: `${newDatabase()}_suite` });
    const documents = await openDocuments(url, { service: 'suite' });
    const things = documents.collection(thingsSpec('things'));
    await things.load(
      Array.from({ length: 2000 }, (_, n) => ({
        id: `t${n}`,
        value: thing({ group: `g${n % 3}`, rank: n % 7 }),
      })),
    );
    const client = new MongoClient(url);
    const plan = planCollection(thingsSpec('things'));
    const index = plan.indexes.find(({ name }) => name === 'byRank');
    if (index === undefined) throw new Error('no index');
    const base = { index, equal: ['g1'], descending: false, limit: 10 };
    const scans: CheckedScan[] = [
      base,
      { ...base, equal: [] },
      { ...base, from: 2, before: 5 },
      { ...base, after: { keys: [3], id: 't500' } },
      { ...base, equal: [], descending: true, after: { keys: ['g1', 3], id: 't500' } },
    ];
    for (const { filter, sort } of scans.flatMap(stretches)) {
      const explained = await client
        .db()
        .collection('things')
        .find(filter, { sort, hint: 'scs_byRank', limit: 11 })
        .explain('executionStats');
      expect(JSON.stringify(explained['queryPlanner'])).not.toMatch(/"(SORT|COLLSCAN)"/);
      expect(explained['executionStats']).toMatchObject({ executionSuccess: true });
      expect((explained['executionStats'] as { totalKeysExamined: number }).totalKeysExamined).toBeLessThan(
        14,
      );
    }
    await client.close();
    await documents.close();
    await server.stop();
  });
});

import { type Documents, openDocuments } from '#libs/documents';
import type { Document } from 'mongodb';
import { afterEach, describe, expect, it } from 'vitest';
import { thing, type Things, thingsSpec } from '../../libs/documents/src/testing/things.js';
import { type FakeAnswer, type FakeMongo, startFakeMongo } from '../support/fake-mongo.js';

/** Which requests a real MongoDB would get: the stand-in has neither hints nor partial indexes nor transactions. */
describe('a MongoDB replica set is asked', () => {
  let fake: FakeMongo;
  let documents: Documents;
  afterEach(async () => {
    await documents.close();
    await fake.close();
  });

  async function open(answer?: FakeAnswer): Promise<Things> {
    fake = await startFakeMongo({ replicaSet: 'rs', ...(answer === undefined ? {} : { answer }) });
    documents = await openDocuments(fake.url(), { service: 'auth' });
    const things = documents.collection(thingsSpec('things'));
    await documents.ready();
    return things;
  }
  const sent = (name: string): Document[] => fake.commands.filter((command) => name in command);

  it('for indexes that hold only documents with all their fields, total in order', async () => {
    await open();
    const indexes = sent('createIndexes').flatMap((command) => command['indexes'] as Document[]);
    expect(indexes).toContainEqual({
      name: 'scs_byRank',
      key: { 'v.group': 1, 'v.rank': 1, _id: 1 },
      unique: false,
      partialFilterExpression: { 'v.group': { $exists: true }, 'v.rank': { $exists: true } },
    });
    expect(indexes).toContainEqual({
      name: 'scs_byName',
      key: { 'v.name': 1 },
      unique: true,
      partialFilterExpression: { 'v.name': { $exists: true } },
    });
    expect(sent('createIndexes')[0]?.['$db']).toBe('scs_auth');
  });

  it('for scans by their index, each in one unbroken stretch of it', async () => {
    const things = await open();
    await things.scan('byRank', { equal: ['g'], from: 2, before: 9, limit: 10 });
    expect(sent('find').at(-1)).toMatchObject({
      filter: { 'v.group': { $eq: 'g', $exists: true }, 'v.rank': { $exists: true, $gte: 2, $lt: 9 } },
      sort: { 'v.rank': 1, _id: 1 },
      hint: 'scs_byRank',
      limit: 11,
      readConcern: { level: 'majority' },
    });
  });

  it('for the keys of an index by nothing that is not in it', async () => {
    const things = await open();
    await things.keys('byRank', { equal: ['g'], limit: 10 });
    expect(sent('find').at(-1)).toMatchObject({
      projection: { _id: 1, 'v.group': 1, 'v.rank': 1 },
      sort: { 'v.rank': 1, _id: 1 },
      hint: 'scs_byRank',
      limit: 10,
    });
  });

  it('for a later page by what lies behind its place, and not by an either-or', async () => {
    const cursor = Buffer.from(JSON.stringify(['byRank', 5, 'id5'])).toString('base64url');
    const things = await open();
    const before = sent('find').length;
    await things.scan('byRank', { equal: ['g'], from: 2, before: 9, limit: 10, cursor });
    expect(
      sent('find')
        .slice(before)
        .map((command) => command['filter'] as Document),
    ).toEqual([
      { 'v.group': { $eq: 'g', $exists: true }, 'v.rank': { $exists: true, $eq: 5 }, _id: { $gt: 'id5' } },
      { 'v.group': { $eq: 'g', $exists: true }, 'v.rank': { $exists: true, $gt: 5, $lt: 9 } },
    ]);
  });

  it('for several writes in one transaction, durable on a majority', async () => {
    const things = await open();
    const result = await documents.commit([things.write.insert('a', thing()), things.write.delete('b')]);
    expect(result).toEqual({ ok: true });
    const [insert, remove, commit] = [sent('insert')[0], sent('delete')[0], sent('commitTransaction')[0]];
    expect(insert).toMatchObject({
      startTransaction: true,
      autocommit: false,
      readConcern: { level: 'snapshot' },
    });
    expect(remove).toMatchObject({ autocommit: false, txnNumber: insert?.['txnNumber'] });
    expect(commit).toMatchObject({
      txnNumber: insert?.['txnNumber'],
      writeConcern: { w: 'majority', j: true },
    });
  });

  it('again from the start when another transaction was in the way', async () => {
    let conflicts = 2;
    const things = await open((command) => {
      if (!('insert' in command) || conflicts === 0) return undefined;
      conflicts -= 1;
      return {
        ok: 0,
        code: 112,
        codeName: 'WriteConflict',
        errmsg: 'conflict',
        errorLabels: ['TransientTransactionError'],
      };
    });
    const writes = [things.write.delete('b'), things.write.insert('a', thing())];
    expect(await documents.commit(writes)).toEqual({ ok: true });
    expect(sent('delete')).toHaveLength(3);
    expect(sent('commitTransaction')).toHaveLength(1);
  });

  it('to take a transaction back when a write is refused', async () => {
    const things = await open((command) => ('update' in command ? { ok: 1, n: 0, nModified: 0 } : undefined));
    const writes = [things.write.insert('a', thing()), things.write.replace('b', 7, thing())];
    expect(await documents.commit(writes)).toEqual({ ok: false, failed: 1, because: 'changed' });
    expect(sent('abortTransaction')).toHaveLength(1);
    expect(sent('commitTransaction')).toHaveLength(0);
  });

  it('for an increment in one step that its bounds are a part of', async () => {
    const things = await open((command) =>
      'findAndModify' in command ? { ok: 1, value: { _id: 'a', r: 2, v: thing({ count: 4 }) } } : undefined,
    );
    expect(await things.increment('a', 'count', 3, { minimum: 0, maximum: 10 })).toEqual({
      ok: true,
      value: 4,
    });
    expect(sent('findAndModify')[0]).toMatchObject({
      query: { _id: 'a', 'v.count': { $gte: -3, $lte: 7 } },
      update: { $inc: { 'v.count': 3, r: 1 } },
      new: true,
    });
  });
});

import Database from 'better-sqlite3';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { openDocuments, TEMPORARY_DATABASE } from '../open.js';
import type { Documents } from '../port.js';
import { newThings, thing, thingsSpec } from '../testing/things.js';

let folder: string;
let opened: Documents[];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'scs-file-'));
  opened = [];
});
afterEach(async () => {
  for (const documents of opened) await documents.close();
  await rm(folder, { recursive: true });
});

const file = (): string => join(folder, 'auth.sqlite');

async function open(service = 'auth'): Promise<Documents> {
  const documents = await openDocuments(`sqlite:${folder}`, { service });
  opened.push(documents);
  return documents;
}

const refused = (): Promise<unknown> => open().catch((error: unknown) => error);

/** Commits in the write-ahead log: frames that carry the size of the database. */
async function commitsInLog(): Promise<number> {
  const log = await readFile(`${file()}-wal`);
  const pageSize = log.readUInt32BE(8);
  let commits = 0;
  for (let at = 32; at + 24 <= log.length; at += 24 + pageSize)
    if (log.readUInt32BE(at + 4) !== 0) commits += 1;
  return commits;
}

describe('a database file', () => {
  it('keeps its documents from one start to the next', async () => {
    const documents = await open();
    const things = documents.collection(thingsSpec('things'));
    await things.insert('a', thing({ count: 3 }));
    await documents.close();
    const again = (await open()).collection(thingsSpec('things'));
    expect((await again.get('a'))?.value.count).toBe(3);
  });

  it('is one for each service, and opened by one process at a time, which the refusal names', async () => {
    await open();
    await open('library');
    expect(await refused()).toMatchObject({
      code: 'conflict',
      reason: 'database_in_use',
      message: `The database ${file()} is in use by process ${process.pid}`,
    });
    await opened[0]?.close();
    await open();
  });

  it('is readable by nobody else, with its companions', async () => {
    const documents = await open();
    await newThings(documents).insert('a', thing());
    expect((await stat(folder)).mode & 0o777).toBe(0o700);
    for (const name of ['', '-wal', '-shm']) expect((await stat(file() + name)).mode & 0o077).toBe(0);
  });

  it('gets the writes of one tick in one commit', async () => {
    const documents = await open();
    const things = documents.collection(thingsSpec('things'));
    await things.insert('first', thing());
    const before = await commitsInLog();
    const writes = Array.from({ length: 100 }, (_, n) => things.insert(`w${n}`, thing()));
    await Promise.all(writes);
    expect((await commitsInLog()) - before).toBeLessThanOrEqual(2);
  });

  it('is read as it is after every write that was acknowledged, also while others are under way', async () => {
    const things = (await open()).collection(thingsSpec('things'));
    await things.insert('a', thing());
    const seen = async (): Promise<number | undefined> => (await things.get('a'))?.value.count;
    for (let count = 1; count <= 100; count += 1) {
      const write = things.put('a', thing({ count }));
      // The first before the writer has been asked, the last while it has not answered.
      for (let reads = 0; reads < 10; reads += 1) expect([count - 1, count]).toContain(await seen());
      await write;
      expect(await seen()).toBe(count);
    }
  });

  it('has a log that stays small, however much is read between the writes', async () => {
    const things = (await open()).collection(thingsSpec('things'));
    const note = 'x'.repeat(40_000);
    for (let n = 0; n < 400; n += 1) {
      await things.put(`t${n % 10}`, thing({ count: n, note }));
      expect((await things.get(`t${n % 10}`))?.value.count).toBe(n);
    }
    // 16 MB were written; the log is emptied whenever it has 4 MB and nobody reads from it.
    expect((await stat(`${file()}-wal`)).size).toBeLessThan(6_000_000);
  });

  it('refuses one write of a tick without the others', async () => {
    const things = (await open()).collection(thingsSpec('things'));
    await things.insert('b', thing({ count: 9 }));
    const results = await Promise.all(['a', 'b', 'c'].map((id) => things.insert(id, thing())));
    expect(results).toEqual(['inserted', 'exists', 'inserted']);
    expect((await things.get('b'))?.value.count).toBe(9);
  });

  it('gets new indexes over the documents that it has, and loses those that are gone', async () => {
    const schema = z.object({ a: z.string(), n: z.number().optional() });
    const first = await open();
    const before = first.collection({ name: 'kept', schema, indexes: { byA: { fields: ['a'] } } });
    const numbers = [0.1, 0.30000000000000004, 1e300, -5];
    await before.load(numbers.map((n, at) => ({ id: `d${at}`, value: { a: 'x', n } })));
    await before.insert('without', { a: 'x' });
    await first.close();

    const second = await open();
    const after = second.collection({ name: 'kept', schema, indexes: { byN: { fields: ['n', 'a'] } } });
    const { items } = await after.scan('byN', { limit: 10 });
    expect(items.map(({ value }) => value.n)).toEqual([-5, 0.1, 0.30000000000000004, 1e300]);
    const exact = await after.scan('byN', { equal: [0.30000000000000004], limit: 10 });
    expect(exact.items.map(({ id }) => id)).toEqual(['d1']);
    await second.close();
    const database = new Database(file(), { readonly: true });
    const names = database.prepare("SELECT name FROM sqlite_schema WHERE type = 'index'").pluck().all();
    database.close();
    expect(names).toEqual(['sqlite_autoindex_kept_1', 'kept.byN']);
  });

  it('refuses a new unique index that its documents break, with the collection usable as before', async () => {
    const schema = z.object({ a: z.string() });
    const first = await open();
    const before = first.collection({ name: 'kept', schema, indexes: { byA: { fields: ['a'] } } });
    await before.load(['1', '2'].map((id) => ({ id, value: { a: 'same' } })));
    await first.close();
    const second = await open();
    second.collection({ name: 'kept', schema, indexes: { byA: { fields: ['a'], unique: true } } });
    await expect(second.ready()).rejects.toMatchObject({ code: 'conflict', reason: 'value_taken' });
    await expect(second.ping()).rejects.toMatchObject({ reason: 'value_taken' });
    await second.close();
    const third = (await open()).collection({ name: 'kept', schema, indexes: { byA: { fields: ['a'] } } });
    expect((await third.scan('byA', { limit: 5 })).items).toHaveLength(2);
  });

  it('refuses two declarations of one collection that differ, and takes two that do not', async () => {
    const documents = await open();
    const schema = z.object({ a: z.string() });
    const one = documents.collection({ name: 'same', schema, indexes: { byA: { fields: ['a'] } } });
    const two = documents.collection({ name: 'same', schema, indexes: { byA: { fields: ['a'] } } });
    await one.insert('x', { a: 'y' });
    expect((await two.get('x'))?.value).toEqual({ a: 'y' });
    expect(() => documents.collection({ name: 'Same'.toLowerCase(), schema, indexes: {} })).toThrow(
      /two different/,
    );
  });

  it.each([
    [
      'another program’s database',
      'database_foreign',
      (path: string) => new Database(path).exec('PRAGMA application_id = 7; CREATE TABLE t (x)').close(),
    ],
    [
      'a database of a newer version',
      'database_newer',
      (path: string) =>
        new Database(path)
          .exec('PRAGMA application_id = 0x53435364; PRAGMA user_version = 99; CREATE TABLE t (x)')
          .close(),
    ],
    ['no database at all', 'database_damaged', (path: string) => writeFile(path, 'x'.repeat(8192))],
  ])('is refused in one sentence when it is %s, and not locked by that', async (_, reason, make) => {
    await make(file());
    expect(await refused()).toMatchObject({ code: 'unavailable', reason });
    await rm(file());
    await open();
  });

  it('is refused in one sentence when its folder cannot be made', async () => {
    await writeFile(join(folder, 'taken'), '');
    const error = await openDocuments(`sqlite:${folder}/taken/data`, { service: 'auth' }).catch(
      (one: unknown) => one,
    );
    expect(error).toMatchObject({ code: 'unavailable', reason: 'database_not_writable' });
  });

  it('is refused when its address is none, without repeating a password', async () => {
    for (const url of ['sqlite:relative/path', 'postgres://admin:secret@host/db', '']) {
      const error = await openDocuments(url, { service: 'auth' }).catch((one: unknown) => one);
      expect(error).toMatchObject({
        reason: 'bad_database_url',
        message: expect.not.stringContaining('secret'),
      });
    }
  });

  it('says so when the database was closed, and closes twice without harm', async () => {
    const documents = await openDocuments(TEMPORARY_DATABASE, { service: 'auth' });
    const things = newThings(documents);
    expect(await things.get('a')).toBeUndefined();
    const write = things.insert('a', thing());
    await Promise.all([documents.close(), documents.close(), expect(write).resolves.toBe('inserted')]);
    await expect(things.insert('b', thing())).rejects.toMatchObject({ code: 'unavailable' });
    await expect(things.get('a')).rejects.toThrow('not open');
    await expect(documents.ping()).rejects.toMatchObject({ code: 'unavailable' });
  });
});

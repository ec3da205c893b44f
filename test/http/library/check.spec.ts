import { randomInt } from 'node:crypto';
import { open, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { LibraryCheck } from '#apps/library/src/check/check.store';
import { Tables } from '#apps/library/src/check/tables.store';
import { DATABASE, type Database } from '#apps/library/src/database.store';
import { hashId, tagId } from '#apps/library/src/images/documents.store';
import { LIMITS } from '#apps/library/src/limits';
import { BlobHealth } from '#apps/library/src/storage/blobHealth.store';
import { holdingId } from '#apps/library/src/storage/documents.store';
import { Trail } from '#libs/audit';
import { BlobStore } from '#libs/blobs';
import type { Clock } from '#libs/core';
import type { Stored } from '#libs/documents';
import { CLOCK } from '#libs/server';
import type { LibraryProblem } from '#libs/contract';
import { waitForEntries } from '../../support/audit.js';
import { mongoDatabase, sqliteDatabase } from '../../support/databases.js';
import { checked, requireNothingWrong, requireRepair } from './checked.js';
import { hashOf, startLibrary, testImage, type World } from './world.js';

const PLACE = 'tester/data/tools';
const NOTHING = '0'.repeat(24);

describe.each([
  { name: 'SQLite', open: sqliteDatabase, part: 3 },
  // The stand-in takes twenty times as long for a request.
  { name: 'MongoDB', open: mongoDatabase, part: 20 },
])('a check of the library, on $name', ({ name: databaseName, open: openDatabase, part }) => {
  let world: World;
  let tables: Tables;
  let bytes: Buffer;
  let image: { id: string; container: string };
  let hash: string;
  let repairs = 0;
  beforeAll(async () => {
    world = await startLibrary({ open: openDatabase, limits: { checkedPart: part, checkedImages: part } });
    tables = new Tables(world.app.get<Database>(DATABASE));
    bytes = await testImage();
    hash = hashOf(bytes);
    image = await world.tester.push(PLACE, bytes, { tags: ['latest', '1.0'] });
    // The same content elsewhere in the entity, in another one, and others beside it.
    await world.tester.push('tester/data/copy', bytes);
    await world.other.push('other/data/copy', bytes);
    for (let n = 0; n < 4; n += 1) await world.tester.push(PLACE, await testImage(), { tags: [`n${n}`] });
    await world.tester.place('tester/empty/nothing');
    // A push that has begun, and one of which the bytes have arrived.
    await begin('tester/data/begun');
    await begin('other/data/begun', true);
  });
  afterAll(() => world.stop());

  const fileOf = (digest: string): string =>
    join(world.app.home, 'data', 'library', 'blobs', 'sha256', digest.slice(7, 9), digest.slice(7));
  async function begin(path: string, isSent = false): Promise<{ upload: string; hash: string }> {
    const client = path.startsWith('tester') ? world.tester : world.other;
    const file = await testImage();
    const made = await client.image(await client.place(path), hashOf(file));
    const id = made.body.data.id as string;
    const started = await client.send('POST', `/v2/imagefile/${id}`, { filesize: file.length });
    const url = started.body.data.uploadURL as string;
    if (isSent && (await client.put(url, file)).status !== 200) throw new Error('not sent');
    return { upload: /upload\/([0-9a-f]{24})/.exec(url)?.[1] ?? '', hash: hashOf(file) };
  }
  const must = async <D>(found: Promise<Stored<D> | undefined>): Promise<Stored<D>> => {
    const document = await found;
    if (document === undefined) throw new Error('no such document');
    return document;
  };
  const entity = async (of = 'tester'): Promise<string> => (await must(tables.names.get(of))).value.target;
  /** A content is called by one of its images. */
  const nameOf = (name: string): string => (name.endsWith(`@${hash}`) ? hash : name);

  /** Damages, and expects that exactly this is seen, that looking changes nothing, and that a repair ends it. */
  async function expectRepair(
    damage: () => Promise<unknown>,
    ...expected: readonly Omit<LibraryProblem, 'repaired'>[]
  ): Promise<void> {
    await damage();
    repairs += expected.length;
    await requireRepair(world, expected, nameOf);
  }

  it('finds nothing where nobody has interfered, and says how many bytes that are', async () => {
    await requireNothingWrong(world);
    const { bytes: sums, parts } = await checked(world);
    const expected = bytes.length + 4 * (await testImage()).length;
    expect(sums).toEqual({ documents: expected, store: expected, difference: 0, hashed: 0 });
    expect(parts.reduce((sum, part) => sum + part.images, 0)).toBe(9);
    expect(parts.length).toBeGreaterThan(10);
  });

  it('finds an object that its path does not lead to', async () => {
    await expectRepair(() => tables.names.delete(PLACE), { kind: 'name_missing', name: PLACE });
    const other = (await must(tables.names.get('tester/data/copy'))).value.target;
    await expectRepair(() => tables.names.put(PLACE, { target: other }), {
      kind: 'name_wrong',
      name: PLACE,
      what: other,
    });
    expect((await world.anonymous.get(`/v1/containers/${PLACE}`)).body.data.id).toBe(image.container);
  });

  it('finds a path that leads to nothing, and to something with another path', async () => {
    await expectRepair(
      async () => {
        await tables.names.put('tester/gone', { target: NOTHING });
        await tables.names.put('tester/data/alias', { target: image.container });
      },
      { kind: 'name_stray', name: 'tester/gone', what: NOTHING },
      { kind: 'name_stray', name: 'tester/data/alias', what: PLACE },
    );
    expect((await world.anonymous.get('/v1/containers/tester/data/alias')).status).toBe(404);
  });

  it('finds words of the search that are missing, wrong and stray', async () => {
    await expectRepair(
      async () => {
        await tables.terms.delete(`${image.container}/5`);
        await tables.terms.update(
          `${image.container}/4`,
          (term) => term && { ...term, audience: 'somebody' },
        );
        const stray = { audience: '', kind: 'container', term: 'stray' } as const;
        await tables.terms.put(`${image.container}/99`, { ...stray, target: image.container });
        await tables.terms.put(`${NOTHING}/5`, { ...stray, target: NOTHING });
      },
      { kind: 'term_missing', name: PLACE, what: 'tools' },
      { kind: 'term_wrong', name: PLACE, what: 'ools' },
      { kind: 'term_stray', name: NOTHING, what: 'stray' },
      { kind: 'term_stray', name: PLACE, what: 'stray' },
    );
    const { body } = await world.anonymous.get('/v1/search?value=tools');
    expect(body.data.container).toHaveLength(1);
  });

  it('finds what is in the wrong list, or in none, as what an older version made', async () => {
    const { value } = await must(tables.containers.get(image.container));
    const { audience: _, ...unlisted } = value;
    await expectRepair(() => tables.containers.put(image.container, unlisted), {
      kind: 'audience_wrong',
      name: PLACE,
    });
    const collection = (await must(tables.names.get('tester/data'))).value.target;
    await expectRepair(
      () => tables.collections.update(collection, (found) => found && { ...found, audience: NOTHING }),
      { kind: 'audience_wrong', name: 'tester/data', what: NOTHING },
    );
    const { body } = await world.anonymous.get('/v1/manage/containers/tester/data');
    expect(JSON.stringify(body)).toContain('"tools"');
  });

  it('finds nothing wrong with a name from before, unless its container does not know it', async () => {
    const change = (name: string) => world.tester.send('PATCH', `/v1/manage/containers/${place}`, { name });
    let place = 'tester/data/copy';
    expect((await change('renamed')).status).toBe(200);
    place = 'tester/data/renamed';
    await requireNothingWrong(world);
    const other = (await must(tables.names.get(place))).value.target;
    await expectRepair(
      () => tables.names.put('tester/data/never', { target: other, until: Date.now() + 1e9 }),
      { kind: 'name_stray', name: 'tester/data/never', what: place },
    );
    expect((await world.anonymous.get('/v1/containers/tester/data/copy')).body.data.id).toBe(other);
    expect((await change('copy')).status).toBe(200);
    await requireNothingWrong(world);
  });

  it('finds an object whose parent is not there, and leaves it', async () => {
    const collection = (await must(tables.names.get('tester/data'))).value.target;
    const { value } = await must(tables.collections.get(collection));
    await tables.collections.update(collection, () => ({ ...value, entity: NOTHING }));
    const { problems } = await checked(world, { repair: true });
    expect(problems).toEqual([
      { kind: 'parent_missing', name: 'tester/data', what: NOTHING, repaired: false },
    ]);
    await tables.collections.update(collection, () => value);
    await requireNothingWrong(world);
  });

  it('finds an image that its hash does not lead to, and a hash that leads to nothing', async () => {
    const id = hashId(image.container, hash);
    await expectRepair(() => tables.hashes.delete(id), { kind: 'hash_missing', name: `${PLACE}@${hash}` });
    await expectRepair(() => tables.hashes.put(id, { image: NOTHING }), {
      kind: 'hash_wrong',
      name: `${PLACE}@${hash}`,
      what: NOTHING,
    });
    const other = `sha256.${'1'.repeat(64)}`;
    await expectRepair(() => tables.hashes.put(hashId(image.container, other), { image: image.id }), {
      kind: 'hash_stray',
      name: `${PLACE}@${other}`,
      what: image.id,
    });
    expect((await world.tester.get(`/v1/images/${PLACE}:${hash}`)).body.data.id).toBe(image.id);
  });

  it('finds a tag of an image that is not there', async () => {
    const tag = { container: image.container, arch: 'arm64', tag: 'ghost', image: NOTHING };
    await expectRepair(
      async () => {
        await tables.tags.put(tagId(tag), { ...tag, updatedBy: 'x', updatedAt: '2026-01-01T00:00:00Z' });
        await tables.containers.increment(image.container, 'tags', 1);
      },
      { kind: 'tag_stray', name: `${PLACE}:ghost`, what: 'arm64' },
    );
    expect((await must(tables.containers.get(image.container))).value.tags).toBe(6);
  });

  it('finds what an entity is said to have, or not to have, and how often', async () => {
    const [tester, other] = [await entity(), await entity('other')];
    const name = `${PLACE}@${hash}`;
    const { account } = (await must(tables.holdings.get(holdingId(tester, hash)))).value;
    // Who brought it goes with what is lost: it is nobody's then.
    const before = (await must(tables.accounts.get('other'))).value;
    const numbers = (recorded: number) => ({ recorded, counted: recorded - bytes.length });
    await expectRepair(
      async () => {
        await tables.holdings.delete(holdingId(other, hash));
        await tables.holdings.put(holdingId(tester, hash), { size: bytes.length, images: 7, account });
      },
      { kind: 'account_size', name: 'other', ...numbers(before.size) },
      { kind: 'account_held', name: 'other', ...numbers(before.held) },
      { kind: 'holding_wrong', name, what: tester, recorded: 7, counted: 2 },
      { kind: 'holding_missing', name, what: other, recorded: 0, counted: 1 },
    );
    await expectRepair(() => tables.holdings.put(holdingId(NOTHING, hash), { size: 1, images: 3 }), {
      kind: 'holding_stray',
      name,
      what: NOTHING,
      recorded: 3,
      counted: 0,
    });
    expect((await must(tables.holdings.get(holdingId(other, hash)))).value).toEqual({
      size: bytes.length,
      images: 1,
    });
  });

  it('finds who needs a content: too many, too few, nobody at all, and a wrong length', async () => {
    const name = `${PLACE}@${hash}`;
    const recorded = async (claims: number) =>
      tables.contents.update(hash, (content) => content && { ...content, claims });
    await expectRepair(() => recorded(5), {
      kind: 'content_wrong',
      name,
      what: 'claims',
      recorded: 5,
      counted: 2,
    });
    await expectRepair(() => recorded(1), {
      kind: 'content_wrong',
      name,
      what: 'claims',
      recorded: 1,
      counted: 2,
    });
    await expectRepair(() => tables.contents.delete(hash), {
      kind: 'content_missing',
      name,
      recorded: 0,
      counted: 2,
    });
    await expectRepair(() => tables.contents.update(hash, (content) => content && { ...content, size: 1 }), {
      kind: 'content_wrong',
      name,
      what: 'size',
      recorded: 1,
      counted: bytes.length,
    });
    const unneeded = `sha256.${'2'.repeat(64)}`;
    await expectRepair(() => tables.contents.put(unneeded, { size: 9, claims: 1, state: 'claimed' }), {
      kind: 'content_stray',
      name: unneeded,
      recorded: 1,
      counted: 0,
    });
    expect((await must(tables.contents.get(hash))).value).toEqual({
      size: bytes.length,
      claims: 2,
      state: 'claimed',
    });
  });

  it('finds a blob that nobody needs, once it is old, and removes it', async () => {
    const stray = Buffer.from('nobody needs this');
    const file = fileOf(hashOf(stray));
    const writer = await world.app.get(BlobStore).write({ limit: 100 });
    await writer.write([stray]);
    await writer.commit();
    expect((await checked(world)).problems).toEqual([]);
    const old = new Date(Date.now() - 2 * 3600 * 1000);
    await utimes(file, old, old);
    const before = await checked(world);
    expect(before.bytes.store - before.bytes.documents).toBe(stray.length);
    expect(before.bytes.difference).toBe(stray.length);
    await expectRepair(async () => undefined, {
      kind: 'blob_stray',
      name: hashOf(stray),
      recorded: 0,
      counted: stray.length,
    });
    expect(await world.blobs()).not.toContain(hashOf(stray).slice(7));
    expect(await tables.contents.get(hashOf(stray))).toBeUndefined();
  });

  describe('a blob that nobody needs, and somebody pushes at the moment of its removal', () => {
    let stray: Buffer;
    beforeEach(async () => {
      stray = await testImage();
      const writer = await world.app.get(BlobStore).write({ limit: stray.length });
      await writer.write([stray]);
      await writer.commit();
      const old = new Date(Date.now() - 2 * 3600 * 1000);
      await utimes(fileOf(hashOf(stray)), old, old);
    });
    const push = () => world.tester.push('tester/data/late', stray, { tags: ['latest'] });

    it('goes, and the push waits for that and brings it again', async () => {
      const store = world.app.get(BlobStore);
      const remove = store.remove.bind(store);
      let pushed: Promise<unknown> | undefined;
      store.remove = async (digest) => {
        store.remove = remove;
        pushed = push();
        // It has claimed nothing yet: it waits.
        await expect.poll(async () => (await tables.contents.get(digest))?.value.state).toBe('removing');
        return remove(digest);
      };
      const { problems } = await checked(world, { repair: true });
      repairs += 1;
      expect(problems).toMatchObject([{ kind: 'blob_stray', repaired: true }]);
      await pushed;
      expect((await readFile(fileOf(hashOf(stray)))).equals(stray)).toBe(true);
      await requireNothingWrong(world);
    });

    it('stays when the push was faster, be it by a moment', async () => {
      const store = world.app.get(BlobStore);
      const sizeOf = store.sizeOf.bind(store);
      let looks = 0;
      store.sizeOf = async (digest) => {
        if (digest === hashOf(stray)) looks += 1;
        if (digest === hashOf(stray) && looks === 2) {
          // The check has seen for the second time that nobody needs it, and is about to say so.
          store.sizeOf = sizeOf;
          await push();
        }
        return sizeOf(digest);
      };
      expect((await checked(world, { repair: true })).problems).toEqual([]);
      expect(looks).toBe(2);
      expect((await readFile(fileOf(hashOf(stray)))).equals(stray)).toBe(true);
      await requireNothingWrong(world);
    });
  });

  it('finds an image whose bytes are not there; the next push brings them', async () => {
    await rm(fileOf(hash));
    for (const repair of [false, true]) {
      const { problems, bytes: sums } = await checked(world, { repair });
      expect(problems).toEqual([
        {
          kind: 'blob_missing',
          name: expect.stringContaining(`@${hash}`),
          recorded: bytes.length,
          counted: 0,
          repaired: false,
        },
      ]);
      expect(sums.difference).toBe(bytes.length);
    }
    await world.tester.push(PLACE, bytes, { tags: ['latest'] });
    await requireNothingWrong(world);
  });

  it('finds a blob that was cut; the next push brings all of it', async () => {
    const file = await open(fileOf(hash), 'r+');
    await file.truncate(1000);
    await file.close();
    const { problems, bytes: sums } = await checked(world);
    expect(problems).toEqual([
      {
        kind: 'blob_wrong_size',
        name: expect.stringContaining(`@${hash}`),
        recorded: bytes.length,
        counted: 1000,
        repaired: false,
      },
    ]);
    expect(sums.difference).toBe(bytes.length - 1000);
    await world.tester.push(PLACE, bytes, { tags: ['latest'] });
    expect((await readFile(fileOf(hash))).equals(bytes)).toBe(true);
    await requireNothingWrong(world);
  });

  it('finds an upload whose bytes are gone, and bytes and parts of no upload', async () => {
    const { upload, hash: announced } = await begin('tester/data/lost', true);
    const incoming = (id: string): string =>
      join(world.app.home, 'data', 'library', 'blobs', 'incoming', `upload-${id}`);
    const stray = 'e'.repeat(24);
    await expectRepair(
      async () => {
        await rm(incoming(upload));
        await tables.parts.put(`${NOTHING}/1`, { upload: NOTHING, number: 1, token: 'x', receivedAt: 1 });
        await writeFile(incoming(stray), 'x');
        const old = new Date(Date.now() - 3 * 3600 * 1000);
        await utimes(incoming(stray), old, old);
      },
      {
        kind: 'upload_bytes_missing',
        name: `tester/data/lost@${announced}`,
        what: upload,
        recorded: 1,
        counted: 0,
      },
      { kind: 'part_stray', name: NOTHING, recorded: 1, counted: 0 },
      { kind: 'upload_bytes_stray', name: stray },
    );
    expect(await world.temporaries()).not.toContain(`upload-${stray}`);
  });

  it('finds every number that is not what it counts', async () => {
    const collection = (await must(tables.names.get('tester/data'))).value.target;
    const empty = (await must(tables.names.get('tester/empty'))).value.target;
    const tester = await entity();
    const other = await entity('other');
    const real = {
      container: (await must(tables.containers.get(image.container))).value,
      collection: (await must(tables.collections.get(collection))).value,
      tester: (await must(tables.entities.get(tester))).value,
      other: (await must(tables.entities.get(other))).value,
    };
    const numbers = (recorded: number, counted: number) => ({ recorded, counted });
    await expectRepair(
      async () => {
        await tables.containers.increment(image.container, 'size', 5);
        await tables.containers.increment(image.container, 'tags', -1);
        await tables.collections.increment(collection, 'size', -7);
        await tables.collections.increment(empty, 'size', 11);
        await tables.entities.increment(tester, 'size', 13);
        await tables.entities.increment(other, 'held', 17);
      },
      { kind: 'container_size', name: PLACE, ...numbers(real.container.size + 5, real.container.size) },
      { kind: 'container_tags', name: PLACE, ...numbers(real.container.tags - 1, real.container.tags) },
      {
        kind: 'collection_size',
        name: 'tester/data',
        ...numbers(real.collection.size - 7, real.collection.size),
      },
      { kind: 'collection_size', name: 'tester/empty', ...numbers(11, 0) },
      { kind: 'entity_size', name: 'tester', ...numbers(real.tester.size + 13, real.tester.size) },
      { kind: 'entity_held', name: 'other', ...numbers(real.other.held + 17, real.other.held) },
    );
    expect((await must(tables.containers.get(image.container))).value).toEqual(real.container);
    expect((await must(tables.entities.get(tester))).value).toEqual(real.tester);
  });

  // On the stand-in a commit that fails has done its first writes.
  it.skipIf(databaseName === 'MongoDB')(
    'repairs nothing of what is removed at that very moment',
    async () => {
      const database = world.app.get<Database>(DATABASE);
      const commit = database.commit.bind(database);
      const id = await world.tester.place('tester/data/gone');
      const { id: deleted } = await world.tester.push('tester/data/doomed', await testImage(), {
        tags: ['latest'],
      });
      const { value } = await must(tables.images.get(deleted));
      await tables.terms.delete(`${id}/4`);
      await tables.hashes.delete(hashId(value.container, value.hash));
      const removals = [
        () => world.tester.send('DELETE', '/v1/manage/containers/tester/data/gone'),
        () => world.tester.send('DELETE', '/v1/images/tester/data/doomed:latest?arch=amd64'),
      ];
      const statuses: number[] = [];
      let isRemoving = false;
      database.commit = async (writes) => {
        const removal = isRemoving ? undefined : removals.shift();
        if (removal !== undefined) {
          isRemoving = true;
          statuses.push((await removal()).status);
          isRemoving = false;
        }
        return commit(writes);
      };
      try {
        expect((await checked(world, { repair: true })).problems).toEqual([]);
      } finally {
        database.commit = commit;
      }
      expect(statuses).toEqual([200, 200]);
      await requireNothingWrong(world);
    },
  );

  it('that repairs is in the audit trail, with the numbers', async () => {
    const entries = await waitForEntries(
      world.app,
      world.admin.token ?? '',
      'action=library.repair',
      repairs,
    );
    expect(entries.map(({ actor }) => actor?.username)).not.toContain(undefined);
    expect(entries).toContainEqual(
      expect.objectContaining({
        subject: { kind: 'entity', name: 'tester' },
        reason: 'entity_size',
        before: { size: expect.any(Number) },
      }),
    );
  });

  // Commits of the stand-in are not atomic: there it does find them.
  it.skipIf(databaseName === 'MongoDB')(
    'finds nothing that is only being changed, and repairs nothing of it',
    async () => {
      const over = new AbortController();
      const change = async (lane: number): Promise<void> => {
        while (!over.signal.aborted) {
          const file = await testImage({ size: 500 });
          await world.tester.push(`tester/busy/lane${lane % 2}`, file, { tags: [`t${lane}`] });
          await world.tester.send('DELETE', `/v1/images/tester/busy/lane${lane % 2}:t${lane}?arch=amd64`);
        }
      };
      const { app } = world;
      const database = torn(app.get<Database>(DATABASE));
      const check = new LibraryCheck({
        database,
        tables: new Tables(database),
        blobs: app.get(BlobStore),
        health: app.get(BlobHealth),
        trail: app.get(Trail),
        clock: app.get<Clock>(CLOCK),
        limits: LIMITS,
      });
      const found: LibraryProblem[] = [];
      const changing = [0, 1, 2].map(change);
      try {
        for (let round = 0; round < 8; round += 1) {
          let from: string | undefined;
          do {
            const options = { repair: round % 2 === 1, rehash: false, actor: null };
            const part = await check.part(from, options);
            found.push(...part.problems);
            from = part.next;
          } while (from !== undefined);
        }
      } finally {
        over.abort();
        await Promise.all(changing);
      }
      expect(found).toEqual([]);
      await requireNothingWrong(world);
    },
    120_000,
  );

  it('is for administrators, and goes on from where it was only', async () => {
    const ask = (json: object, token = world.admin.token) =>
      world.app.request('/v1/library/check', { method: 'POST', token: token ?? '', json });
    expect((await ask({}, world.tester.token)).status).toBe(403);
    for (const cursor of ['x', 'entities x', 'usage x', 'usage {}', 'blobs x', 'nothing '])
      expect((await ask({ cursor })).status).toBe(400);
  });
});

/** The same documents, read so slowly that everything happens between any two readings. SQLite alone is too fast for that. */
function torn(database: Database): Database {
  const slow = ['get', 'getMany', 'scan'];
  const bound = (target: object, name: string | symbol): unknown => {
    const member: unknown = Reflect.get(target, name, target);
    return typeof member === 'function' ? (member.bind(target) as unknown) : member;
  };
  return new Proxy(database, {
    get: (documents, name) => {
      if (name !== 'collection') return bound(documents, name);
      return (spec: Parameters<Database['collection']>[0]) =>
        new Proxy(documents.collection(spec), {
          get: (collection, method) => {
            const member = bound(collection, method);
            if (!slow.includes(String(method))) return member;
            return async (...words: unknown[]) => {
              const read = await (member as (...words: unknown[]) => Promise<unknown>)(...words);
              await delay(randomInt(4));
              return read;
            };
          },
        });
    },
  });
}

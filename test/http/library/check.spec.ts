import { randomInt } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, it, vi } from 'vitest';
import { LibraryCheck } from '#apps/library/src/check/check.store';
import { Tables } from '#apps/library/src/check/tables.store';
import { DATABASE, type Database } from '#apps/library/src/database.store';
import { hashId } from '#apps/library/src/images/documents.store';
import { LIMITS } from '#apps/library/src/limits';
import { BlobHealth } from '#apps/library/src/storage/blobHealth.store';
import { Trail } from '#libs/audit';
import { BlobStore } from '#libs/blobs';
import type { Clock } from '#libs/core';
import { CLOCK } from '#libs/server';
import type { LibraryProblem } from '#libs/contract';
import { auditEntries, waitForEntries } from '../../support/audit.js';
import { describeDamaged, must, NOTHING, PLACE } from './check-scene.js';
import { checked, requireNothingWrong } from './checked.js';
import { testImage } from './world.js';

const WAIT = { interval: 50, timeout: 10_000 };

describeDamaged('a check of the library', (on) => {
  const { entity, expectRepair } = on;

  it('finds nothing where nobody has interfered, and says how many bytes that are', async () => {
    await requireNothingWrong(on.world);
    const { bytes: sums, parts } = await checked(on.world);
    const expected = on.bytes.length + 4 * (await testImage()).length;
    expect(sums).toEqual({ documents: expected, store: expected, difference: 0, hashed: 0 });
    expect(parts.reduce((sum, part) => sum + part.images, 0)).toBe(9);
    expect(parts.length).toBeGreaterThan(10);
  });

  it('finds an object that its path does not lead to', async () => {
    await expectRepair(() => on.tables.names.delete(PLACE), { kind: 'name_missing', name: PLACE });
    const other = (await must(on.tables.names.get('tester/data/copy'))).value.target;
    await expectRepair(() => on.tables.names.put(PLACE, { target: other }), {
      kind: 'name_wrong',
      name: PLACE,
      what: other,
    });
    expect((await on.world.anonymous.get(`/v1/containers/${PLACE}`)).body.data.id).toBe(on.image.container);
  });

  it('finds a path that leads to nothing, and to something with another path', async () => {
    await expectRepair(
      async () => {
        await on.tables.names.put('tester/gone', { target: NOTHING });
        await on.tables.names.put('tester/data/alias', { target: on.image.container });
      },
      { kind: 'name_stray', name: 'tester/gone', what: NOTHING },
      { kind: 'name_stray', name: 'tester/data/alias', what: PLACE },
    );
    expect((await on.world.anonymous.get('/v1/containers/tester/data/alias')).status).toBe(404);
  });

  it('finds words of the search that are missing, wrong and stray', async () => {
    await expectRepair(
      async () => {
        await on.tables.terms.delete(`${on.image.container}/5`);
        await on.tables.terms.update(
          `${on.image.container}/4`,
          (term) => term && { ...term, audience: 'somebody' },
        );
        const stray = { audience: '', kind: 'container', term: 'stray' } as const;
        await on.tables.terms.put(`${on.image.container}/99`, { ...stray, target: on.image.container });
        await on.tables.terms.put(`${NOTHING}/5`, { ...stray, target: NOTHING });
      },
      { kind: 'term_missing', name: PLACE, what: 'tools' },
      { kind: 'term_wrong', name: PLACE, what: 'ools' },
      { kind: 'term_stray', name: NOTHING, what: 'stray' },
      { kind: 'term_stray', name: PLACE, what: 'stray' },
    );
    const { body } = await on.world.anonymous.get('/v1/search?value=tools');
    expect(body.data.container).toHaveLength(1);
  });

  it('finds what is in the wrong list, or in none, as what an older version made', async () => {
    const { value } = await must(on.tables.containers.get(on.image.container));
    const { audience: _, ...unlisted } = value;
    await expectRepair(() => on.tables.containers.put(on.image.container, unlisted), {
      kind: 'audience_wrong',
      name: PLACE,
    });
    const collection = (await must(on.tables.names.get('tester/data'))).value.target;
    await expectRepair(
      () => on.tables.collections.update(collection, (found) => found && { ...found, audience: NOTHING }),
      { kind: 'audience_wrong', name: 'tester/data', what: NOTHING },
    );
    const { body } = await on.world.anonymous.get('/v1/manage/containers/tester/data');
    expect(JSON.stringify(body)).toContain('"tools"');
  });

  it('finds nothing wrong with a name from before, unless its container does not know it', async () => {
    const change = (name: string) =>
      on.world.tester.send('PATCH', `/v1/manage/containers/${place}`, { name });
    let place = 'tester/data/copy';
    expect((await change('renamed')).status).toBe(200);
    place = 'tester/data/renamed';
    await requireNothingWrong(on.world);
    const other = (await must(on.tables.names.get(place))).value.target;
    await expectRepair(
      () => on.tables.names.put('tester/data/never', { target: other, until: Date.now() + 1e9 }),
      { kind: 'name_stray', name: 'tester/data/never', what: place },
    );
    expect((await on.world.anonymous.get('/v1/containers/tester/data/copy')).body.data.id).toBe(other);
    expect((await change('copy')).status).toBe(200);
    await requireNothingWrong(on.world);
  });

  it('finds an object whose parent is not there, and leaves it', async () => {
    const collection = (await must(on.tables.names.get('tester/data'))).value.target;
    const { value } = await must(on.tables.collections.get(collection));
    await on.tables.collections.update(collection, () => ({ ...value, entity: NOTHING }));
    const { problems } = await checked(on.world, { repair: true });
    expect(problems).toEqual([
      { kind: 'parent_missing', name: 'tester/data', what: NOTHING, repaired: false },
    ]);
    await on.tables.collections.update(collection, () => value);
    await requireNothingWrong(on.world);
  });

  it('finds every number that is not what it counts', async () => {
    const collection = (await must(on.tables.names.get('tester/data'))).value.target;
    const empty = (await must(on.tables.names.get('tester/empty'))).value.target;
    const tester = await entity();
    const other = await entity('other');
    const real = {
      container: (await must(on.tables.containers.get(on.image.container))).value,
      collection: (await must(on.tables.collections.get(collection))).value,
      tester: (await must(on.tables.entities.get(tester))).value,
      other: (await must(on.tables.entities.get(other))).value,
    };
    const numbers = (recorded: number, counted: number) => ({ recorded, counted });
    await expectRepair(
      async () => {
        await on.tables.containers.increment(on.image.container, 'size', 5);
        await on.tables.containers.increment(on.image.container, 'tags', -1);
        await on.tables.collections.increment(collection, 'size', -7);
        await on.tables.collections.increment(empty, 'size', 11);
        await on.tables.entities.increment(tester, 'size', 13);
        await on.tables.entities.increment(other, 'held', 17);
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
    expect((await must(on.tables.containers.get(on.image.container))).value).toEqual(real.container);
    expect((await must(on.tables.entities.get(tester))).value).toEqual(real.tester);
    // With the numbers of before.
    const query = 'action=library.repair&subject=tester';
    const entries = await vi.waitFor(async () => {
      const found = await auditEntries(on.world.app, on.world.admin.token ?? '', query);
      expect(found.map(({ reason }) => reason)).toContain('entity_size');
      return found;
    }, WAIT);
    expect(entries).toContainEqual(
      expect.objectContaining({
        subject: { kind: 'entity', name: 'tester' },
        reason: 'entity_size',
        before: { size: real.tester.size + 13 },
      }),
    );
  });

  // On the stand-in a commit that fails has done its first writes.
  it.skipIf(on.databaseName === 'MongoDB')(
    'repairs nothing of what is removed at that very moment',
    async () => {
      const database = on.world.app.get<Database>(DATABASE);
      const commit = database.commit.bind(database);
      const id = await on.world.tester.place('tester/data/gone');
      const { id: deleted } = await on.world.tester.push('tester/data/doomed', await testImage(), {
        tags: ['latest'],
      });
      const { value } = await must(on.tables.images.get(deleted));
      await on.tables.terms.delete(`${id}/4`);
      await on.tables.hashes.delete(hashId(value.container, value.hash));
      const removals = [
        () => on.world.tester.send('DELETE', '/v1/manage/containers/tester/data/gone'),
        () => on.world.tester.send('DELETE', '/v1/images/tester/data/doomed:latest?arch=amd64'),
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
        expect((await checked(on.world, { repair: true })).problems).toEqual([]);
      } finally {
        database.commit = commit;
      }
      expect(statuses).toEqual([200, 200]);
      await requireNothingWrong(on.world);
    },
  );

  // Commits of the stand-in are not atomic: there it does find them.
  it.skipIf(on.databaseName === 'MongoDB')(
    'finds nothing that is only being changed, and repairs nothing of it',
    async () => {
      const over = new AbortController();
      const change = async (lane: number): Promise<void> => {
        while (!over.signal.aborted) {
          const file = await testImage({ size: 500 });
          await on.world.tester.push(`tester/busy/lane${lane % 2}`, file, { tags: [`t${lane}`] });
          await on.world.tester.send('DELETE', `/v1/images/tester/busy/lane${lane % 2}:t${lane}?arch=amd64`);
        }
      };
      const { app } = on.world;
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
      const look = async (repair: boolean): Promise<void> => {
        for (let round = 0; round < 2; round += 1) {
          let from: string | undefined;
          do {
            const part = await check.part(from, { repair, rehash: false, actor: null });
            found.push(...part.problems);
            from = part.next;
          } while (from !== undefined);
        }
      };
      const changing = [0, 1, 2].map(change);
      try {
        // Mostly they wait: four at once see as much change as one after the other.
        await Promise.all([look(false), look(true), look(false), look(true)]);
      } finally {
        over.abort();
        await Promise.all(changing);
      }
      expect(found).toEqual([]);
      await requireNothingWrong(on.world);
    },
    120_000,
  );

  it('is for administrators, and goes on from where it was only', async () => {
    const ask = (json: object, token = on.world.admin.token) =>
      on.world.app.request('/v1/library/check', { method: 'POST', token: token ?? '', json });
    expect((await ask({}, on.world.tester.token)).status).toBe(403);
    for (const cursor of ['x', 'entities x', 'usage x', 'usage {}', 'blobs x', 'nothing '])
      expect((await ask({ cursor })).status).toBe(400);
    const refusals = 'action=library.repair&outcome=refused';
    await waitForEntries(on.world.app, on.world.admin.token ?? '', refusals, 7);
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

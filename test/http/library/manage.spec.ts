import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { ImagesStore } from '#apps/library/src/images/images.store';
import { LIMITS } from '#apps/library/src/limits';
import { CollectionsStore } from '#apps/library/src/tree/collections.store';
import { ManualClock } from '#libs/core';
import type { AppAnswer } from '../../support/app.js';
import { waitForEntries } from '../../support/audit.js';
import { mongoDatabase, sqliteDatabase } from '../../support/databases.js';
import { requireNothingWrong } from './checked.js';
import { hashOf, startLibrary, type StockClient, testImage, type World } from './world.js';

/** The names of a list, page by page. */
async function namesIn(client: StockClient, path: string, limit = 500): Promise<string[]> {
  const names: string[] = [];
  let cursor: string | undefined;
  do {
    const place = cursor === undefined ? '' : `&cursor=${encodeURIComponent(cursor)}`;
    const { status, body } = await client.get(`/v1/manage/${path}?limit=${limit}${place}`);
    expect(status).toBe(200);
    const { data, page } = body as { data: { name: string }[]; page?: { next: string } };
    expect(data.length).toBeLessThanOrEqual(limit);
    names.push(...data.map(({ name }) => name));
    cursor = page?.next;
  } while (cursor !== undefined);
  return names;
}

describe.each([
  { name: 'SQLite', open: sqliteDatabase },
  { name: 'MongoDB', open: mongoDatabase },
])('managing the library over $name', ({ name: database, open }) => {
  // The stand-in for MongoDB knows no transactions.
  const atomic = database === 'SQLite' || process.env['SCS_TEST_MONGO_URL'] !== undefined;

  let world: World;
  let clock: ManualClock;
  let places = 0;
  beforeAll(async () => {
    clock = new ManualClock(new Date().toISOString());
    world = await startLibrary({ open, clock });
  });
  afterAll(async () => {
    await requireNothingWrong(world);
    await world.stop();
  });

  /** A collection of its own with some containers. */
  const newCollection = async (...containers: readonly string[]): Promise<string> => {
    const path = `tester/place${(places += 1)}`;
    for (const name of containers) await world.tester.place(`${path}/${name}`);
    return path;
  };
  const change = (path: string, body: object, client = world.tester) =>
    client.send('PATCH', `/v1/manage/${path}`, body);
  const remove = (path: string, client = world.tester) => client.send('DELETE', `/v1/manage/${path}`);
  const statusOf = async (answer: Promise<{ status: number }>) => (await answer).status;
  const member = async (role: 'owner' | 'writer' | 'reader') =>
    world.client(await world.authority.token({ username: `${role}1`, organisations: { guild: role } }));

  describe('lists', () => {
    it('what is public to everybody, by name, and what is private to members', async () => {
      const path = await newCollection('b', 'd', 'a', 'c-1', 'c');
      await change(`containers/${path}/a`, { private: true });
      await change(`containers/${path}/d`, { private: true });
      for (const limit of [1, 2, 3, 500]) {
        expect(await namesIn(world.tester, `containers/${path}`, limit)).toEqual(['a', 'b', 'c', 'c-1', 'd']);
        expect(await namesIn(world.other, `containers/${path}`, limit)).toEqual(['b', 'c', 'c-1']);
        expect(await namesIn(world.anonymous, `containers/${path}`, limit)).toEqual(['b', 'c', 'c-1']);
      }
    });

    it('and to a token for one of them that one alone, without naming another', async () => {
      const path = await newCollection('a', 'b', 'z');
      for (const name of ['a', 'b', 'z']) await change(`containers/${path}/${name}`, { private: true });
      const scopes = [`library:read:${path}/b`];
      const narrow = world.client(await world.authority.token({ username: 'tester', scopes }));
      const { body } = await narrow.get(`/v1/manage/containers/${path}?limit=1`);
      expect(body.data).toMatchObject([{ name: 'b' }]);
      expect(body.page).toBeUndefined();
    });

    it('collections, with what they hold', async () => {
      const image = await testImage();
      await world.admin.push('museum/cabinet/stone', image);
      const { body } = await world.anonymous.get('/v1/manage/collections/museum');
      expect(body.data).toMatchObject([{ name: 'cabinet', size: image.length, private: false }]);
    });

    it('images, newest first, with their tags, and tags with their images', async () => {
      const path = `${await newCollection()}/images`;
      const [first, second] = [await testImage(), await testImage({ arch: 'arm64' })];
      const { id, container } = await world.tester.push(path, first, { tags: ['1', 'stable'] });
      clock.advance(1000);
      const { id: later } = await world.tester.push(path, second, { tags: ['2'], arch: 'arm64' });
      await world.tester.image(container, hashOf(await testImage()));
      const images = (await world.anonymous.get(`/v1/manage/images/${path}`)).body;
      expect(images.data).toMatchObject([
        { id: later, hash: hashOf(second), arch: 'arm64', size: second.length, tags: ['2'] },
        { id, hash: hashOf(first), arch: 'amd64', uploaded: true, signed: false, tags: ['1', 'stable'] },
      ]);
      // What is not there yet is shown to whoever could bring it.
      expect((await world.tester.get(`/v1/manage/images/${path}`)).body.data).toHaveLength(3);
      const tags = (await world.anonymous.get(`/v1/manage/tags/${path}?limit=2`)).body;
      expect(tags.data).toMatchObject([
        { tag: '1', arch: 'amd64', image: id, updatedBy: 'tester' },
        { tag: '2', arch: 'arm64', image: later },
      ]);
      const rest = await world.anonymous.get(`/v1/manage/tags/${path}?cursor=${tags.page.next as string}`);
      expect(rest.body.data).toMatchObject([{ tag: 'stable', image: id }]);
    });

    it.each(['limit=0', 'limit=501', 'limit=x', 'cursor=A%20B', 'cursor=..'])('refuse %s', async (query) => {
      const path = await newCollection('a');
      expect(await statusOf(world.tester.get(`/v1/manage/containers/${path}?${query}`))).toBe(400);
    });
  });

  describe('a container', () => {
    it('is described by writers, who say nothing about who sees it', async () => {
      await (await member('owner')).place('guild/tools/axe');
      const writer = await member('writer');
      const described = await change(
        'containers/guild/tools/axe',
        { description: 'An axe', fullDescription: '# Axe' },
        writer,
      );
      expect(described.body.data).toMatchObject({
        description: 'An axe',
        fullDescription: '# Axe',
        private: false,
      });
      for (const body of [
        { private: true },
        { readOnly: true },
        { name: 'hatchet' },
        { description: 'x', private: false },
      ])
        expect((await change('containers/guild/tools/axe', body, writer)).body.error).toMatchObject({
          code: 403,
          reason: 'not_owner',
        });
      expect(await statusOf(remove('containers/guild/tools/axe', writer))).toBe(403);
      expect(
        await statusOf(change('containers/guild/tools/axe', { description: '' }, await member('reader'))),
      ).toBe(403);
      const { body } = await world.anonymous.get('/v1/containers/guild/tools/axe');
      expect(body.data).toMatchObject({
        name: 'axe',
        description: 'An axe',
        private: false,
        readOnly: false,
      });
    });

    it('becomes private, and public again, for readers and for searches', async () => {
      const path = `${await newCollection('chameleon')}/chameleon`;
      const found = async (client: StockClient) =>
        ((await client.get(`/v1/search?value=chameleon`)).body.data.container as unknown[]).length;
      expect([await found(world.other), await found(world.tester)]).toEqual([1, 1]);
      expect(await statusOf(change(`containers/${path}`, { private: true }))).toBe(200);
      expect([await found(world.other), await found(world.tester)]).toEqual([0, 1]);
      expect(await statusOf(world.other.get(`/v1/containers/${path}`))).toBe(404);
      expect(await statusOf(change(`containers/${path}`, { private: false }))).toBe(200);
      expect([await found(world.other), await found(world.tester)]).toEqual([1, 1]);
      expect(await statusOf(world.other.get(`/v1/containers/${path}`))).toBe(200);
    });

    it('that is read-only takes no more images, and is described all the same', async () => {
      const path = `${await newCollection('stone')}/stone`;
      const { id } = (await change(`containers/${path}`, { readOnly: true })).body.data as { id: string };
      const refused = await world.tester.image(id, hashOf(await testImage()));
      expect(refused.body.error).toMatchObject({ code: 403, reason: 'read_only' });
      expect(await statusOf(change(`containers/${path}`, { description: 'Of stone' }))).toBe(200);
      await change(`containers/${path}`, { readOnly: false });
      expect(await statusOf(world.tester.image(id, hashOf(await testImage())))).toBe(200);
    });

    it('is not public in a private collection', async () => {
      const path = await newCollection('a');
      await change(`collections/${path}`, { private: true });
      const refused = await change(`containers/${path}/a`, { private: false });
      expect(refused.body.error).toMatchObject({ code: 409, reason: 'collection_private' });
    });

    it('with a new name is found by the old one for a time, and by search by the new one alone', async () => {
      const path = await newCollection();
      const bytes = await testImage();
      await world.tester.push(`${path}/caterpillar`, bytes, { tags: ['1'] });
      expect((await change(`containers/${path}/caterpillar`, { name: 'butterfly' })).body.data.name).toBe(
        'butterfly',
      );
      for (const name of ['caterpillar', 'butterfly']) {
        const { body } = await world.anonymous.get(`/v1/images/${path}/${name}:1?arch=amd64`);
        expect(body.data).toMatchObject({ hash: hashOf(bytes), containerName: 'butterfly' });
      }
      const found = async (word: string) =>
        ((await world.anonymous.get(`/v1/search?value=${word}`)).body.data.container as unknown[]).length;
      expect([await found('caterpillar'), await found('butterfly')]).toEqual([0, 1]);
      expect(await namesIn(world.anonymous, `containers/${path}`)).toEqual(['butterfly']);
      // A push to the old name goes on to be one to this container.
      const again = await world.tester.push(`${path}/caterpillar`, await testImage(), { tags: ['2'] });
      expect((await world.tester.get(`/v1/containers/${path}/butterfly`)).body.data.id).toBe(again.container);
    });

    it('takes no name that another one has; one that another had, and its own from before', async () => {
      const path = await newCollection('a', 'b');
      expect((await change(`containers/${path}/a`, { name: 'b' })).body.error).toMatchObject({
        code: 409,
        reason: 'name_taken',
      });
      expect(await statusOf(change(`containers/${path}/a`, { name: 'Bad Name' }))).toBe(400);
      await change(`containers/${path}/a`, { name: 'c' });
      await change(`containers/${path}/c`, { name: 'a' });
      expect(await namesIn(world.tester, `containers/${path}`)).toEqual(['a', 'b']);
      await change(`containers/${path}/a`, { name: 'd' });
      await change(`containers/${path}/b`, { name: 'a' });
      const { body } = await world.tester.get(`/v1/containers/${path}/a`);
      expect(body.data.name).toBe('a');
      expect((await world.tester.get(`/v1/containers/${path}/b`)).body.data.id).toBe(body.data.id);
    });

    it('keeps its last names only', async () => {
      const path = await newCollection('n0');
      for (let index = 1; index <= LIMITS.formerNames + 2; index += 1)
        expect(await statusOf(change(`containers/${path}/n${index - 1}`, { name: `n${index}` }))).toBe(200);
      expect(await statusOf(world.tester.get(`/v1/containers/${path}/n1`))).toBe(404);
      expect(await statusOf(world.tester.get(`/v1/containers/${path}/n2`))).toBe(200);
    });

    it('goes with its images, its names and the space that they took', async () => {
      const path = await newCollection();
      const bytes = await testImage();
      const before = (await world.tester.get('/v1/entities/tester')).body.data.size as number;
      await world.tester.push(`${path}/doomed`, bytes, { tags: ['1', '2'] });
      await world.tester.push(`${path}/doomed`, await testImage(), { tags: ['3'] });
      await change(`containers/${path}/doomed`, { name: 'done' });
      expect((await remove(`containers/${path}/done`)).body).toEqual({ data: { deleted: true } });
      expect((await world.tester.get('/v1/entities/tester')).body.data.size).toBe(before);
      expect(await world.blobs()).not.toContain(hashOf(bytes).slice('sha256.'.length));
      for (const name of ['doomed', 'done'])
        expect(await statusOf(world.tester.get(`/v1/containers/${path}/${name}`))).toBe(404);
      expect(await statusOf(remove(`containers/${path}/done`))).toBe(404);
      expect((await world.tester.get('/v1/search?value=doomed')).body.data.container).toEqual([]);
      const made = await world.tester.push(`${path}/doomed`, bytes);
      expect((await world.tester.get(`/v1/images/${path}/doomed:latest`)).body.data.id).toBe(made.id);
    });

    it.runIf(atomic)('that gets an image at the last moment is removed with it', async () => {
      const path = await newCollection();
      const container = await world.tester.place(`${path}/busy`);
      const images = world.app.get(ImagesStore);
      const list = images.ofContainer.bind(images);
      let late: AppAnswer | undefined;
      // The look that finds nothing in it any more.
      const looks = vi.spyOn(images, 'ofContainer').mockImplementation(async (id, limit) => {
        const found = await list(id, limit);
        if (limit === 1) late ??= await world.tester.image(id, hashOf(await testImage()));
        return found;
      });
      expect(await statusOf(remove(`containers/${path}/busy`))).toBe(200);
      looks.mockRestore();
      expect(late?.status).toBe(200);
      expect(await list(container, 10)).toEqual([]);
    });

    it.runIf(atomic)('that is removed while images come refuses them or has them until then', async () => {
      const path = await newCollection();
      const container = await world.tester.place(`${path}/busy`);
      const hashes = await Promise.all(Array.from({ length: 8 }, async () => hashOf(await testImage())));
      const [removal, ...made] = await Promise.all([
        remove(`containers/${path}/busy`),
        ...hashes.map((hash) => world.tester.image(container, hash)),
      ]);
      expect(removal.status).toBe(200);
      for (const { status } of made) expect([200, 404]).toContain(status);
      expect(await world.app.get(ImagesStore).ofContainer(container, 10)).toEqual([]);
    });
  });

  describe('a collection', () => {
    it.runIf(atomic)('that becomes private takes along what is just being made in it', async () => {
      const path = await newCollection('a', 'b');
      const collections = world.app.get(CollectionsStore);
      const get = collections.get.bind(collections);
      const found = await world.tester.get(`/v1/collections/${path}`);
      const collection = found.body.data.id as string;
      let looks = 0;
      // Read as public, and private before it is written.
      const reads = vi.spyOn(collections, 'get').mockImplementation(async (id) => {
        const one = await get(id);
        if (id === collection && (looks += 1) === 2) await change(`collections/${path}`, { private: true });
        return one;
      });
      expect(await statusOf(world.tester.container(collection, 'late'))).toBe(200);
      reads.mockRestore();
      expect(await namesIn(world.tester, `containers/${path}`)).toEqual(['a', 'b', 'late']);
      expect(await statusOf(world.other.get(`/v1/manage/containers/${path}`))).toBe(404);
      for (const name of ['a', 'b', 'late'])
        expect(await statusOf(world.other.get(`/v1/containers/${path}/${name}`))).toBe(404);
    });

    it('that becomes public opens none of them', async () => {
      const path = await newCollection('a');
      await change(`collections/${path}`, { private: true });
      await change(`collections/${path}`, { private: false });
      expect(await namesIn(world.other, `containers/${path}`)).toEqual([]);
      await change(`containers/${path}/a`, { private: false });
      expect(await namesIn(world.other, `containers/${path}`)).toEqual(['a']);
    });

    it('is removed when nothing is in it', async () => {
      const path = await newCollection('a');
      expect((await remove(`collections/${path}`)).body.error).toMatchObject({
        code: 409,
        reason: 'not_empty',
      });
      await change(`containers/${path}/a`, { private: true });
      expect(await statusOf(remove(`collections/${path}`))).toBe(409);
      await remove(`containers/${path}/a`);
      expect(await statusOf(remove(`collections/${path}`))).toBe(200);
      expect(await statusOf(world.tester.get(`/v1/collections/${path}`))).toBe(404);
    });

    it.runIf(atomic)('that is removed while containers are made has none afterwards', async () => {
      for (let round = 0; round < 5; round += 1) {
        const path = await newCollection('first');
        await remove(`containers/${path}/first`);
        const id = (await world.tester.get(`/v1/collections/${path}`)).body.data.id as string;
        const [removal, made] = await Promise.all([
          remove(`collections/${path}`),
          world.tester.container(id, 'second'),
        ]);
        expect([
          [200, 404],
          [409, 200],
        ]).toContainEqual([removal.status, made.status]);
      }
    });
  });

  describe('an entity', () => {
    it('gets quota from administrators alone', async () => {
      const refused = await change('entities/tester', { quota: 5 });
      expect(refused.body.error).toMatchObject({ code: 403, reason: 'not_administrator' });
      await world.admin.place('endowed/a/b');
      const given = await change('entities/endowed', { quota: 5 }, world.admin);
      expect(given.body.data).toMatchObject({ quota: 5 });
    });

    it('keeps its quota: whoever has it cannot make it anew without', async () => {
      const token = await world.authority.token({ username: 'limited' });
      const limited = world.client(token);
      await limited.entity('limited');
      await change('entities/limited', { quota: 5 }, world.admin);
      const refused = await remove('entities/limited', limited);
      expect(refused.body.error).toMatchObject({ code: 403, reason: 'not_administrator' });
      await limited.entity('limited');
      expect((await limited.get('/v1/entities/limited')).body.data.quota).toBe(5);
      expect(await statusOf(remove('entities/limited', world.admin))).toBe(200);
    });

    it('that is private by default is found by strangers no longer, and gives that to what is made in it', async () => {
      await world.other.place('other/shown/first');
      await change('entities/other', { defaultPrivate: true }, world.other);
      expect(await statusOf(world.tester.get('/v1/entities/other'))).toBe(404);
      await world.other.place('other/later/second');
      expect(await statusOf(world.tester.get('/v1/containers/other/later/second'))).toBe(404);
      expect(await statusOf(world.tester.get('/v1/containers/other/shown/first'))).toBe(200);
    });

    it('is removed when nothing is in it', async () => {
      await world.admin.place('temporary/a/b');
      expect(await statusOf(remove('entities/temporary', world.admin))).toBe(409);
      await remove('containers/temporary/a/b', world.admin);
      await remove('collections/temporary/a', world.admin);
      expect(await statusOf(remove('entities/temporary', world.admin))).toBe(200);
      expect(await statusOf(world.admin.get('/v1/entities/temporary'))).toBe(404);
    });
  });

  it('a tag is removed without its image, in one architecture or in all', async () => {
    const path = `${await newCollection()}/tagged`;
    const bytes = await testImage();
    const { container, id } = await world.tester.push(path, bytes, { tags: ['1', '2'] });
    await world.tester.tag(container, '1', id, 'arm64');
    expect(await statusOf(remove(`tags/${path}/1?arch=amd64`))).toBe(200);
    const tags = async () => (await world.tester.get(`/v2/tags/${container}`)).body.data as object;
    expect(await tags()).toEqual({ amd64: { '2': id }, arm64: { '1': id } });
    expect(await statusOf(remove(`tags/${path}/1?arch=amd64`))).toBe(404);
    expect(await statusOf(remove(`tags/${path}/1`))).toBe(200);
    expect(await tags()).toEqual({ amd64: { '2': id } });
    expect(await statusOf(world.tester.get(`/v1/images/${path}:${hashOf(bytes)}`))).toBe(200);
    expect(
      (await world.tester.get(`/v1/manage/containers/${path.split('/').slice(0, 2).join('/')}`)).body.data,
    ).toMatchObject([{ tags: 1 }]);
  });

  describe('a protected tag', () => {
    it('is set once, and neither moved nor removed, by anybody', async () => {
      const path = `${await newCollection()}/released`;
      const [first, second] = [await testImage(), await testImage()];
      const { container, id } = await world.tester.push(path, first, { tags: ['v1', 'latest'] });
      const { id: later } = await world.tester.push(path, second, { tags: ['latest'] });
      const changed = await change(`containers/${path}`, { protectedTags: ['v*', '2.0'] });
      expect(changed.body.data.protectedTags).toEqual(['v*', '2.0']);
      for (const client of [world.tester, world.admin]) {
        const moved = await client.tag(container, 'v1', later);
        expect(moved.body.error).toMatchObject({ code: 409, reason: 'tag_protected' });
        expect(await statusOf(remove(`tags/${path}/v1`, client))).toBe(409);
        expect(await statusOf(client.send('DELETE', `/v1/images/${path}:${hashOf(first)}`))).toBe(409);
      }
      // The same again is no change; a new one can be set, and what is not protected moves.
      expect(await statusOf(world.tester.tag(container, 'v1', id))).toBe(200);
      expect(await statusOf(world.tester.tag(container, 'v2', later))).toBe(200);
      expect(await statusOf(world.tester.tag(container, 'latest', id))).toBe(200);
      expect((await world.tester.get(`/v1/images/${path}:v1?arch=amd64`)).body.data.id).toBe(id);
      await change(`containers/${path}`, { protectedTags: [] });
      expect(await statusOf(world.tester.tag(container, 'v1', later))).toBe(200);
    });

    it('is protected by its entity, too; the container goes with it all the same', async () => {
      const owner = await member('owner');
      const { container } = await owner.push('guild/tools/saw', await testImage(), { tags: ['1.0'] });
      await change('entities/guild', { protectedTags: ['*.*'] }, owner);
      const { id } = await owner.push('guild/tools/saw', await testImage(), { tags: [] });
      const writer = await member('writer');
      expect((await writer.tag(container, '1.0', id)).body.error.message).toBe(
        'The tag 1.0 is protected by "*.*": it stays with its image',
      );
      expect(await statusOf(change('entities/guild', { protectedTags: [] }, writer))).toBe(403);
      expect(await statusOf(remove('containers/guild/tools/saw', owner))).toBe(200);
    });

    it.each([[['a b']], [['']], [['x'.repeat(129)]], [Array(21).fill('a')], ['v*']])(
      'refuses the patterns %j',
      async (protectedTags) => {
        expect(await statusOf(change(`containers/${await newCollection('a')}/a`, { protectedTags }))).toBe(
          400,
        );
      },
    );
  });

  describe('rules for what is kept', () => {
    it('say what they would remove, and remove it when they are told to', async () => {
      const path = `${await newCollection()}/nightly`;
      const images = [];
      for (const tag of ['v1', 'old', 'older', 'new']) {
        clock.advance(1000);
        const bytes = await testImage();
        images.push({ tag, bytes, ...(await world.tester.push(path, bytes, { tags: [tag] })) });
      }
      const used = async () => (await world.tester.get('/v1/entities/tester')).body.data.size as number;
      const before = await used();
      const rules = { keepLast: 1, keepTags: ['v*'] };
      const run = (body: object) => world.tester.send('POST', `/v1/manage/retention/${path}`, body);
      expect((await run({})).body.error).toMatchObject({ code: 409, reason: 'no_retention' });
      const planned = (await run({ rules })).body.data;
      expect(planned).toMatchObject({ dryRun: true, rules, removed: 2 });
      expect(planned.images).toMatchObject([
        { tags: ['new'], kept: 'last' },
        { tags: ['older'], kept: null },
        { tags: ['old'], kept: null },
        { tags: ['v1'], kept: 'tag' },
      ]);
      expect((await run({ rules, dryRun: false })).status).toBe(400);
      await change(`containers/${path}`, { retention: rules });
      expect((await run({})).body.data).toMatchObject({ removed: 2 });
      expect(await used()).toBe(before);
      const done = (await run({ dryRun: false })).body.data;
      expect(done).toMatchObject({ dryRun: false, removed: 2, bytes: before - (await used()) });
      const left = (await world.tester.get(`/v1/manage/images/${path}`)).body.data as { tags: string[] }[];
      expect(left.map(({ tags }) => tags)).toEqual([['new'], ['v1']]);
      await change(`containers/${path}`, { retention: null });
      expect((await run({})).status).toBe(409);
    });

    it('are for owners', async () => {
      await (await member('owner')).place('guild/tools/rules');
      const writer = await member('writer');
      const run = writer.send('POST', '/v1/manage/retention/guild/tools/rules', { rules: { keepLast: 1 } });
      expect(await statusOf(run)).toBe(403);
      expect(
        await statusOf(change('containers/guild/tools/rules', { retention: { keepLast: 1 } }, writer)),
      ).toBe(403);
    });

    it.each([
      {},
      { keepLast: 0 },
      { keepDays: 1.5 },
      { keepTags: [] },
      { keepTags: ['a b'] },
      { keepFirst: 1 },
    ])('refuse %j', async (retention) => {
      expect(await statusOf(change(`containers/${await newCollection('a')}/a`, { retention }))).toBe(400);
    });

    it.runIf(atomic)('leave what got another tag after it was looked at, and say so', async () => {
      const path = `${await newCollection()}/late`;
      const { container, id } = await world.tester.push(path, await testImage(), { tags: ['old'] });
      clock.advance(1000);
      await world.tester.push(path, await testImage(), { tags: ['new'] });
      await change(`containers/${path}`, { retention: { keepLast: 1 } });
      const images = world.app.get(ImagesStore);
      const get = images.get.bind(images);
      let looks = 0;
      const reads = vi.spyOn(images, 'get').mockImplementation(async (one) => {
        if (one === id && (looks += 1) === 1) await world.tester.tag(container, 'late', id);
        return get(one);
      });
      const run = await world.tester.send('POST', `/v1/manage/retention/${path}`, { dryRun: false });
      reads.mockRestore();
      expect(run.body.data).toMatchObject({ removed: 0, bytes: 0 });
      expect((await world.tester.get(`/v1/images/${path}:old?arch=amd64`)).status).toBe(200);
    });

    // A day later: other tokens than those of the world have ended.
    it('know when somebody has pulled an image', async () => {
      const path = `${await newCollection()}/pulled`;
      const { id } = await world.tester.push(path, await testImage(), { tags: ['1'] });
      await world.tester.push(path, await testImage(), { tags: ['2'] });
      const rules = { keepDays: 1 };
      clock.advance(24 * 3600 * 1000);
      await world.anonymous.get(`/v1/imagefile/${path}:1?arch=amd64`);
      await vi.waitFor(async () => {
        const { body } = await world.tester.send('POST', `/v1/manage/retention/${path}`, { rules });
        expect(body.data.images).toContainEqual(expect.objectContaining({ id, kept: 'days' }));
        expect(body.data).toMatchObject({ removed: 1 });
      }, 10_000);
    });
  });

  it('the audit trail says who changed what, and what it was', async () => {
    const path = await newCollection('logged');
    await change(`containers/${path}/logged`, { private: true });
    await change(`containers/${path}/logged`, { name: 'renamed', protectedTags: ['v*'] });
    await remove(`containers/${path}/renamed`);
    const token = String(world.admin.token);
    const first = await waitForEntries(world.app, token, `subject=${path}/logged`, 3);
    const last = await waitForEntries(world.app, token, `subject=${path}/renamed`, 1);
    const entries = [...last, ...first].map(({ action, subject, before, after }) => ({
      action,
      name: subject.name,
      before,
      after,
    }));
    expect(entries.slice(0, 3)).toEqual([
      { action: 'container.delete', name: `${path}/renamed`, before: { private: true }, after: null },
      {
        action: 'container.change',
        name: `${path}/logged`,
        before: { private: true, readOnly: false, name: 'logged' },
        after: { private: true, readOnly: false, name: 'renamed', protectedTags: ['v*'] },
      },
      {
        action: 'container.change',
        name: `${path}/logged`,
        before: { private: false, readOnly: false, name: 'logged' },
        after: { private: true, readOnly: false, name: 'logged' },
      },
    ]);
  });

  // The last one: every token has ended by then.
  it('a name from before is given up when its time is over', async () => {
    const path = await newCollection('old');
    const { id } = (await change(`containers/${path}/old`, { name: 'new' })).body.data as { id: string };
    clock.advance(LIMITS.formerName - 1);
    expect(await statusOf(world.anonymous.get(`/v1/containers/${path}/old`))).toBe(200);
    clock.advance(1);
    expect(await statusOf(world.anonymous.get(`/v1/containers/${path}/old`))).toBe(404);
    const claims = { exp: Math.floor(clock.now().getTime() / 1000) + 3600 };
    const tester = world.client(await world.authority.token({ username: 'tester', claims }));
    const another = await tester.place(`${path}/old`);
    expect(another).not.toBe(id);
    expect((await world.anonymous.get(`/v1/containers/${path}/old`)).body.data.id).toBe(another);
  });
});

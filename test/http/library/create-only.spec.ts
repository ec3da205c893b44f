import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DATABASES } from '../../support/databases.js';
import { requireNothingWrong } from './checked.js';
import { hashOf, startLibrary, type StockClient, testImage, type World } from './world.js';

describe.each(DATABASES)('a token that creates and moves nothing, over $name', ({ name: database, open }) => {
  const atomic = database === 'SQLite' || process.env['SCS_TEST_MONGO_URL'] !== undefined;

  let world: World;
  let creator: StockClient;
  let places = 0;
  beforeAll(async () => {
    world = await startLibrary({ open });
    const scopes = ['library:create:tester'];
    creator = world.client(await world.authority.token({ username: 'tester', scopes }));
  });
  afterAll(async () => {
    await requireNothingWrong(world);
    await world.stop();
  });

  const place = () => `tester/create/n${(places += 1)}`;
  const tagged = async (path: string, tag: string) =>
    (await world.tester.get(`/v1/images/${path}:${tag}?arch=amd64`)).body.data?.hash as string | undefined;

  it('pushes to containers that it makes, to those that there are, and tags what has no tag of that name', async () => {
    const path = place();
    const [first, second] = [await testImage(), await testImage()];
    await creator.push(path, first, { tags: ['1', 'latest'] });
    const { container, id } = await creator.push(path, second, { tags: ['2'] });
    expect([await tagged(path, 'latest'), await tagged(path, '2')]).toEqual([hashOf(first), hashOf(second)]);
    // The same again is no move.
    expect((await creator.tag(container, '2', id)).status).toBe(200);
    // Each architecture has its own.
    expect((await creator.tag(container, 'latest', id, 'arm64')).status).toBe(200);
  });

  it.each(['latest', 'v1', '_', 'a.b-c'])('moves no tag, also not %s', async (tag) => {
    const path = place();
    const [first, second] = [await testImage(), await testImage()];
    const { container } = await world.tester.push(path, first, { tags: [tag] });
    const { id } = await creator.push(path, second, { tags: [] });
    for (const send of [
      () => creator.tag(container, tag, id),
      () => creator.send('POST', `/v1/tags/${container}`, { Tag: tag, ImageID: id }),
    ])
      expect((await send()).body.error).toMatchObject({ code: 403, reason: 'scope_missing' });
    expect(await tagged(path, tag)).toBe(hashOf(first));
    // Whoever may write moves it.
    expect((await world.tester.tag(container, tag, id)).status).toBe(200);
  });

  it('moves no tag of an image that is not there yet', async () => {
    const path = place();
    const container = await world.tester.place(path);
    const unfinished = (await world.tester.image(container, hashOf(await testImage()))).body.data
      .id as string;
    await world.tester.tag(container, 'soon', unfinished);
    const { id } = await creator.push(path, await testImage(), { tags: [] });
    expect((await creator.tag(container, 'soon', id)).status).toBe(403);
  });

  it.runIf(atomic)('of several that set a tag at once one sets it', async () => {
    const path = place();
    const container = await creator.place(path);
    const ids = [];
    for (let index = 0; index < 5; index += 1)
      ids.push((await creator.push(path, await testImage(), { tags: [] })).id);
    const statuses = await Promise.all(
      ids.map(async (id) => (await creator.tag(container, 'latest', id)).status),
    );
    expect(statuses.toSorted((a, b) => a - b)).toEqual([200, 403, 403, 403, 403]);
  });

  it('deletes, describes, renames and manages nothing', async () => {
    const path = place();
    await creator.push(path, await testImage(), { tags: ['1'] });
    const requests = [
      ['DELETE', `/v1/images/${path}:1`],
      ['DELETE', `/v1/manage/tags/${path}/1`],
      ['DELETE', `/v1/manage/containers/${path}`],
      ['PATCH', `/v1/manage/containers/${path}`],
      ['PATCH', '/v1/manage/entities/tester'],
    ] as const;
    for (const [method, address] of requests)
      expect(
        (await creator.send(method, address, method === 'PATCH' ? { description: 'x' } : undefined)).status,
      ).toBe(403);
  });

  it('creates nowhere else', async () => {
    await world.other.place('other/own/n');
    const answer = await creator.send('POST', '/v1/entities', { name: 'other' });
    expect(answer.status).toBe(403);
  });

  it('sees what is private where it creates', async () => {
    const path = place();
    await world.tester.push(path, await testImage());
    await world.tester.send('PATCH', `/v1/manage/containers/${path}`, { private: true });
    expect((await creator.get(`/v1/containers/${path}`)).status).toBe(200);
    expect((await creator.get(`/v1/imagefile/${path}:latest`)).status).toBe(403);
  });
});

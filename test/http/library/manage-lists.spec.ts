import { expect, it } from 'vitest';
import { describeManaged, namesIn } from './managed.js';
import { hashOf, testImage } from './world.js';

describeManaged('lists of the library', (on) => {
  const { newCollection, change, statusOf } = on;

  it('what is public to everybody, by name, and what is private to members', async () => {
    const path = await newCollection('b', 'd', 'a', 'c-1', 'c');
    await change(`containers/${path}/a`, { private: true });
    await change(`containers/${path}/d`, { private: true });
    for (const limit of [1, 2, 3, 500]) {
      expect(await namesIn(on.world.tester, `containers/${path}`, limit)).toEqual([
        'a',
        'b',
        'c',
        'c-1',
        'd',
      ]);
      expect(await namesIn(on.world.other, `containers/${path}`, limit)).toEqual(['b', 'c', 'c-1']);
      expect(await namesIn(on.world.anonymous, `containers/${path}`, limit)).toEqual(['b', 'c', 'c-1']);
    }
  });

  it('and to a token for one of them that one alone, without naming another', async () => {
    const path = await newCollection('a', 'b', 'z');
    for (const name of ['a', 'b', 'z']) await change(`containers/${path}/${name}`, { private: true });
    const scopes = [`library:read:${path}/b`];
    const narrow = on.world.client(await on.world.authority.token({ username: 'tester', scopes }));
    const { body } = await narrow.get(`/v1/manage/containers/${path}?limit=1`);
    expect(body.data).toMatchObject([{ name: 'b' }]);
    expect(body.page).toBeUndefined();
  });

  it('collections, with what they hold', async () => {
    const image = await testImage();
    await on.world.admin.push('museum/cabinet/stone', image);
    const { body } = await on.world.anonymous.get('/v1/manage/collections/museum');
    expect(body.data).toMatchObject([{ name: 'cabinet', size: image.length, private: false }]);
  });

  it('images, newest first, with their tags, and tags with their images', async () => {
    const path = `${await newCollection()}/images`;
    const [first, second] = [await testImage(), await testImage({ arch: 'arm64' })];
    const { id, container } = await on.world.tester.push(path, first, { tags: ['1', 'stable'] });
    on.clock.advance(1000);
    const { id: later } = await on.world.tester.push(path, second, { tags: ['2'], arch: 'arm64' });
    await on.world.tester.image(container, hashOf(await testImage()));
    const images = (await on.world.anonymous.get(`/v1/manage/images/${path}`)).body;
    expect(images.data).toMatchObject([
      { id: later, hash: hashOf(second), arch: 'arm64', size: second.length, tags: ['2'] },
      { id, hash: hashOf(first), arch: 'amd64', uploaded: true, signed: false, tags: ['1', 'stable'] },
    ]);
    // What is not there yet is shown to whoever could bring it.
    expect((await on.world.tester.get(`/v1/manage/images/${path}`)).body.data).toHaveLength(3);
    const tags = (await on.world.anonymous.get(`/v1/manage/tags/${path}?limit=2`)).body;
    expect(tags.data).toMatchObject([
      { tag: '1', arch: 'amd64', image: id, updatedBy: 'tester' },
      { tag: '2', arch: 'arm64', image: later },
    ]);
    const rest = await on.world.anonymous.get(`/v1/manage/tags/${path}?cursor=${tags.page.next as string}`);
    expect(rest.body.data).toMatchObject([{ tag: 'stable', image: id }]);
  });

  it.each(['limit=0', 'limit=501', 'limit=x', 'cursor=A%20B', 'cursor=..'])('refuse %s', async (query) => {
    const path = await newCollection('a');
    expect(await statusOf(on.world.tester.get(`/v1/manage/containers/${path}?${query}`))).toBe(400);
  });
});

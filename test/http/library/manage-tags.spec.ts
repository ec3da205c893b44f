import { describe, expect, it } from 'vitest';
import { describeManaged } from './managed.js';
import { hashOf, testImage } from './world.js';

describeManaged('tags that are managed', (on) => {
  const { newCollection, change, remove, statusOf, member } = on;

  it('a tag is removed without its image, in one architecture or in all', async () => {
    const path = `${await newCollection()}/tagged`;
    const bytes = await testImage();
    const { container, id } = await on.world.tester.push(path, bytes, { tags: ['1', '2'] });
    await on.world.tester.tag(container, '1', id, 'arm64');
    expect(await statusOf(remove(`tags/${path}/1?arch=amd64`))).toBe(200);
    const tags = async () => (await on.world.tester.get(`/v2/tags/${container}`)).body.data as object;
    expect(await tags()).toEqual({ amd64: { '2': id }, arm64: { '1': id } });
    expect(await statusOf(remove(`tags/${path}/1?arch=amd64`))).toBe(404);
    expect(await statusOf(remove(`tags/${path}/1`))).toBe(200);
    expect(await tags()).toEqual({ amd64: { '2': id } });
    expect(await statusOf(on.world.tester.get(`/v1/images/${path}:${hashOf(bytes)}`))).toBe(200);
    expect(
      (await on.world.tester.get(`/v1/manage/containers/${path.split('/').slice(0, 2).join('/')}`)).body.data,
    ).toMatchObject([{ tags: 1 }]);
  });

  describe('a protected tag', () => {
    it('is set once, and neither moved nor removed, by anybody', async () => {
      const path = `${await newCollection()}/released`;
      const [first, second] = [await testImage(), await testImage()];
      const { container, id } = await on.world.tester.push(path, first, { tags: ['v1', 'latest'] });
      const { id: later } = await on.world.tester.push(path, second, { tags: ['latest'] });
      const changed = await change(`containers/${path}`, { protectedTags: ['v*', '2.0'] });
      expect(changed.body.data.protectedTags).toEqual(['v*', '2.0']);
      for (const client of [on.world.tester, on.world.admin]) {
        const moved = await client.tag(container, 'v1', later);
        expect(moved.body.error).toMatchObject({ code: 409, reason: 'tag_protected' });
        expect(await statusOf(remove(`tags/${path}/v1`, client))).toBe(409);
        expect(await statusOf(client.send('DELETE', `/v1/images/${path}:${hashOf(first)}`))).toBe(409);
      }
      // The same again is no change; a new one can be set, and what is not protected moves.
      expect(await statusOf(on.world.tester.tag(container, 'v1', id))).toBe(200);
      expect(await statusOf(on.world.tester.tag(container, 'v2', later))).toBe(200);
      expect(await statusOf(on.world.tester.tag(container, 'latest', id))).toBe(200);
      expect((await on.world.tester.get(`/v1/images/${path}:v1?arch=amd64`)).body.data.id).toBe(id);
      await change(`containers/${path}`, { protectedTags: [] });
      expect(await statusOf(on.world.tester.tag(container, 'v1', later))).toBe(200);
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
});

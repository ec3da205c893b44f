import { describe, expect, it, vi } from 'vitest';
import { CollectionsStore } from '#apps/library/src/tree/collections.store';
import { describeManaged, namesIn } from './managed.js';

describeManaged('what containers lie in', (on) => {
  const { atomic, newCollection, change, remove, statusOf } = on;

  describe('a collection', () => {
    it.runIf(atomic)('that becomes private takes along what is just being made in it', async () => {
      const path = await newCollection('a', 'b');
      const collections = on.world.app.get(CollectionsStore);
      const get = collections.get.bind(collections);
      const found = await on.world.tester.get(`/v1/collections/${path}`);
      const collection = found.body.data.id as string;
      let looks = 0;
      // Read as public, and private before it is written.
      const reads = vi.spyOn(collections, 'get').mockImplementation(async (id) => {
        const one = await get(id);
        if (id === collection && (looks += 1) === 2) await change(`collections/${path}`, { private: true });
        return one;
      });
      expect(await statusOf(on.world.tester.container(collection, 'late'))).toBe(200);
      reads.mockRestore();
      expect(await namesIn(on.world.tester, `containers/${path}`)).toEqual(['a', 'b', 'late']);
      expect(await statusOf(on.world.other.get(`/v1/manage/containers/${path}`))).toBe(404);
      for (const name of ['a', 'b', 'late'])
        expect(await statusOf(on.world.other.get(`/v1/containers/${path}/${name}`))).toBe(404);
    });

    it('that becomes public opens none of them', async () => {
      const path = await newCollection('a');
      await change(`collections/${path}`, { private: true });
      await change(`collections/${path}`, { private: false });
      expect(await namesIn(on.world.other, `containers/${path}`)).toEqual([]);
      await change(`containers/${path}/a`, { private: false });
      expect(await namesIn(on.world.other, `containers/${path}`)).toEqual(['a']);
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
      expect(await statusOf(on.world.tester.get(`/v1/collections/${path}`))).toBe(404);
    });

    it.runIf(atomic)('that is removed while containers are made has none afterwards', async () => {
      for (let round = 0; round < 5; round += 1) {
        const path = await newCollection('first');
        await remove(`containers/${path}/first`);
        const id = (await on.world.tester.get(`/v1/collections/${path}`)).body.data.id as string;
        const [removal, made] = await Promise.all([
          remove(`collections/${path}`),
          on.world.tester.container(id, 'second'),
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
      await on.world.admin.place('endowed/a/b');
      const given = await change('entities/endowed', { quota: 5 }, on.world.admin);
      expect(given.body.data).toMatchObject({ quota: 5 });
    });

    it('keeps its quota: whoever has it cannot make it anew without', async () => {
      const token = await on.world.authority.token({ username: 'limited' });
      const limited = on.world.client(token);
      await limited.entity('limited');
      await change('entities/limited', { quota: 5 }, on.world.admin);
      const refused = await remove('entities/limited', limited);
      expect(refused.body.error).toMatchObject({ code: 403, reason: 'not_administrator' });
      await limited.entity('limited');
      expect((await limited.get('/v1/entities/limited')).body.data.quota).toBe(5);
      expect(await statusOf(remove('entities/limited', on.world.admin))).toBe(200);
    });

    it('that is private by default is found by strangers no longer, and gives that to what is made in it', async () => {
      await on.world.other.place('other/shown/first');
      await change('entities/other', { defaultPrivate: true }, on.world.other);
      expect(await statusOf(on.world.tester.get('/v1/entities/other'))).toBe(404);
      await on.world.other.place('other/later/second');
      expect(await statusOf(on.world.tester.get('/v1/containers/other/later/second'))).toBe(404);
      expect(await statusOf(on.world.tester.get('/v1/containers/other/shown/first'))).toBe(200);
    });

    it('is removed when nothing is in it', async () => {
      await on.world.admin.place('temporary/a/b');
      expect(await statusOf(remove('entities/temporary', on.world.admin))).toBe(409);
      await remove('containers/temporary/a/b', on.world.admin);
      await remove('collections/temporary/a', on.world.admin);
      expect(await statusOf(remove('entities/temporary', on.world.admin))).toBe(200);
      expect(await statusOf(on.world.admin.get('/v1/entities/temporary'))).toBe(404);
    });
  });
});

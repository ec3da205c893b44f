import { expect, it, vi } from 'vitest';
import { ImagesStore } from '#apps/library/src/images/images.store';
import { LIMITS } from '#apps/library/src/limits';
import type { AppAnswer } from '../../support/app.js';
import { waitForEntries } from '../../support/audit.js';
import { describeManaged, namesIn } from './managed.js';
import { hashOf, type StockClient, testImage } from './world.js';

describeManaged('a container that is managed', (on) => {
  const { atomic, newCollection, change, remove, statusOf, member } = on;

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
    const { body } = await on.world.anonymous.get('/v1/containers/guild/tools/axe');
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
    expect([await found(on.world.other), await found(on.world.tester)]).toEqual([1, 1]);
    expect(await statusOf(change(`containers/${path}`, { private: true }))).toBe(200);
    expect([await found(on.world.other), await found(on.world.tester)]).toEqual([0, 1]);
    expect(await statusOf(on.world.other.get(`/v1/containers/${path}`))).toBe(404);
    expect(await statusOf(change(`containers/${path}`, { private: false }))).toBe(200);
    expect([await found(on.world.other), await found(on.world.tester)]).toEqual([1, 1]);
    expect(await statusOf(on.world.other.get(`/v1/containers/${path}`))).toBe(200);
  });

  it('that is read-only takes no more images, and is described all the same', async () => {
    const path = `${await newCollection('stone')}/stone`;
    const { id } = (await change(`containers/${path}`, { readOnly: true })).body.data as { id: string };
    const refused = await on.world.tester.image(id, hashOf(await testImage()));
    expect(refused.body.error).toMatchObject({ code: 403, reason: 'read_only' });
    expect(await statusOf(change(`containers/${path}`, { description: 'Of stone' }))).toBe(200);
    await change(`containers/${path}`, { readOnly: false });
    expect(await statusOf(on.world.tester.image(id, hashOf(await testImage())))).toBe(200);
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
    await on.world.tester.push(`${path}/caterpillar`, bytes, { tags: ['1'] });
    expect((await change(`containers/${path}/caterpillar`, { name: 'butterfly' })).body.data.name).toBe(
      'butterfly',
    );
    for (const name of ['caterpillar', 'butterfly']) {
      const { body } = await on.world.anonymous.get(`/v1/images/${path}/${name}:1?arch=amd64`);
      expect(body.data).toMatchObject({ hash: hashOf(bytes), containerName: 'butterfly' });
    }
    const found = async (word: string) =>
      ((await on.world.anonymous.get(`/v1/search?value=${word}`)).body.data.container as unknown[]).length;
    expect([await found('caterpillar'), await found('butterfly')]).toEqual([0, 1]);
    expect(await namesIn(on.world.anonymous, `containers/${path}`)).toEqual(['butterfly']);
    // A push to the old name goes on to be one to this container.
    const again = await on.world.tester.push(`${path}/caterpillar`, await testImage(), { tags: ['2'] });
    expect((await on.world.tester.get(`/v1/containers/${path}/butterfly`)).body.data.id).toBe(
      again.container,
    );
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
    expect(await namesIn(on.world.tester, `containers/${path}`)).toEqual(['a', 'b']);
    await change(`containers/${path}/a`, { name: 'd' });
    await change(`containers/${path}/b`, { name: 'a' });
    const { body } = await on.world.tester.get(`/v1/containers/${path}/a`);
    expect(body.data.name).toBe('a');
    expect((await on.world.tester.get(`/v1/containers/${path}/b`)).body.data.id).toBe(body.data.id);
  });

  it('keeps its last names only', async () => {
    const path = await newCollection('n0');
    for (let index = 1; index <= LIMITS.formerNames + 2; index += 1)
      expect(await statusOf(change(`containers/${path}/n${index - 1}`, { name: `n${index}` }))).toBe(200);
    expect(await statusOf(on.world.tester.get(`/v1/containers/${path}/n1`))).toBe(404);
    expect(await statusOf(on.world.tester.get(`/v1/containers/${path}/n2`))).toBe(200);
  });

  it('goes with its images, its names and the space that they took', async () => {
    const path = await newCollection();
    const bytes = await testImage();
    const before = (await on.world.tester.get('/v1/entities/tester')).body.data.size as number;
    await on.world.tester.push(`${path}/doomed`, bytes, { tags: ['1', '2'] });
    await on.world.tester.push(`${path}/doomed`, await testImage(), { tags: ['3'] });
    await change(`containers/${path}/doomed`, { name: 'done' });
    expect((await remove(`containers/${path}/done`)).body).toEqual({ data: { deleted: true } });
    expect((await on.world.tester.get('/v1/entities/tester')).body.data.size).toBe(before);
    expect(await on.world.blobs()).not.toContain(hashOf(bytes).slice('sha256.'.length));
    for (const name of ['doomed', 'done'])
      expect(await statusOf(on.world.tester.get(`/v1/containers/${path}/${name}`))).toBe(404);
    expect(await statusOf(remove(`containers/${path}/done`))).toBe(404);
    expect((await on.world.tester.get('/v1/search?value=doomed')).body.data.container).toEqual([]);
    const made = await on.world.tester.push(`${path}/doomed`, bytes);
    expect((await on.world.tester.get(`/v1/images/${path}/doomed:latest`)).body.data.id).toBe(made.id);
  });

  it.runIf(atomic)('that gets an image at the last moment is removed with it', async () => {
    const path = await newCollection();
    const container = await on.world.tester.place(`${path}/busy`);
    const images = on.world.app.get(ImagesStore);
    const list = images.ofContainer.bind(images);
    let late: AppAnswer | undefined;
    // The look that finds nothing in it any more.
    const looks = vi.spyOn(images, 'ofContainer').mockImplementation(async (id, limit) => {
      const found = await list(id, limit);
      if (limit === 1) late ??= await on.world.tester.image(id, hashOf(await testImage()));
      return found;
    });
    expect(await statusOf(remove(`containers/${path}/busy`))).toBe(200);
    looks.mockRestore();
    expect(late?.status).toBe(200);
    expect(await list(container, 10)).toEqual([]);
  });

  it.runIf(atomic)('that is removed while images come refuses them or has them until then', async () => {
    const path = await newCollection();
    const container = await on.world.tester.place(`${path}/busy`);
    const hashes = await Promise.all(Array.from({ length: 8 }, async () => hashOf(await testImage())));
    const [removal, ...made] = await Promise.all([
      remove(`containers/${path}/busy`),
      ...hashes.map((hash) => on.world.tester.image(container, hash)),
    ]);
    expect(removal.status).toBe(200);
    for (const { status } of made) expect([200, 404]).toContain(status);
    expect(await on.world.app.get(ImagesStore).ofContainer(container, 10)).toEqual([]);
  });

  it('the audit trail says who changed what, and what it was', async () => {
    const path = await newCollection('logged');
    await change(`containers/${path}/logged`, { private: true });
    await change(`containers/${path}/logged`, { name: 'renamed', protectedTags: ['v*'] });
    await remove(`containers/${path}/renamed`);
    const token = String(on.world.admin.token);
    const first = await waitForEntries(on.world.app, token, `subject=${path}/logged`, 3);
    const last = await waitForEntries(on.world.app, token, `subject=${path}/renamed`, 1);
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
    on.clock.advance(LIMITS.formerName - 1);
    expect(await statusOf(on.world.anonymous.get(`/v1/containers/${path}/old`))).toBe(200);
    on.clock.advance(1);
    expect(await statusOf(on.world.anonymous.get(`/v1/containers/${path}/old`))).toBe(404);
    const claims = { exp: Math.floor(on.clock.now().getTime() / 1000) + 3600 };
    const tester = on.world.client(await on.world.authority.token({ username: 'tester', claims }));
    const another = await tester.place(`${path}/old`);
    expect(another).not.toBe(id);
    expect((await on.world.anonymous.get(`/v1/containers/${path}/old`)).body.data.id).toBe(another);
  });
});

import { expect, it, vi } from 'vitest';
import { ImagesStore } from '#apps/library/src/images/images.store';
import { describeManaged } from './managed.js';
import { testImage } from './world.js';

describeManaged('rules for what is kept', (on) => {
  const { atomic, newCollection, change, statusOf, member } = on;

  it('say what they would remove, and remove it when they are told to', async () => {
    const path = `${await newCollection()}/nightly`;
    const images = [];
    for (const tag of ['v1', 'old', 'older', 'new']) {
      on.clock.advance(1000);
      const bytes = await testImage();
      images.push({ tag, bytes, ...(await on.world.tester.push(path, bytes, { tags: [tag] })) });
    }
    const used = async () => (await on.world.tester.get('/v1/entities/tester')).body.data.size as number;
    const before = await used();
    const rules = { keepLast: 1, keepTags: ['v*'] };
    const run = (body: object) => on.world.tester.send('POST', `/v1/manage/retention/${path}`, body);
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
    const left = (await on.world.tester.get(`/v1/manage/images/${path}`)).body.data as { tags: string[] }[];
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
    const { container, id } = await on.world.tester.push(path, await testImage(), { tags: ['old'] });
    on.clock.advance(1000);
    await on.world.tester.push(path, await testImage(), { tags: ['new'] });
    await change(`containers/${path}`, { retention: { keepLast: 1 } });
    const images = on.world.app.get(ImagesStore);
    const get = images.get.bind(images);
    let looks = 0;
    const reads = vi.spyOn(images, 'get').mockImplementation(async (one) => {
      if (one === id && (looks += 1) === 1) await on.world.tester.tag(container, 'late', id);
      return get(one);
    });
    const run = await on.world.tester.send('POST', `/v1/manage/retention/${path}`, { dryRun: false });
    reads.mockRestore();
    expect(run.body.data).toMatchObject({ removed: 0, bytes: 0 });
    expect((await on.world.tester.get(`/v1/images/${path}:old?arch=amd64`)).status).toBe(200);
  });

  it('know nothing of pulls of the same content elsewhere', async () => {
    const [path, copy] = [`${await newCollection()}/pulled`, `${await newCollection()}/copy`];
    const labels = { topic: 'rules' };
    const bytes = await testImage({ says: { labels } });
    const pulledAt = async (of: string) => {
      const rules = { keepLast: 1 };
      const { body } = await on.world.tester.send('POST', `/v1/manage/retention/${of}`, { rules });
      return (body.data.images as { pulledAt: string | null }[]).map((image) => image.pulledAt);
    };
    await on.world.tester.push(path, bytes, { tags: ['1'] });
    await on.world.anonymous.get(`/v1/imagefile/${path}:1?arch=amd64`);
    await vi.waitFor(async () => expect(await pulledAt(path)).toEqual([expect.any(String)]), 10_000);
    // Without a transfer: the library has these bytes, and says of them what it knows.
    const { id } = await on.world.tester.push(copy, bytes, { tags: ['1'] });
    expect(await pulledAt(copy)).toEqual([null]);
    const images = on.world.app.get(ImagesStore);
    const { value } = (await images.get(id)) ?? {};
    expect(value).toMatchObject({ uploaded: true, size: bytes.length, arch: 'amd64', format: 'sif' });
    expect(value?.labels).toContainEqual({ name: 'topic', value: 'rules' });
  });

  // A day later: other tokens than those of the world have ended.
  it('know when somebody has pulled an image', async () => {
    const path = `${await newCollection()}/pulled`;
    const { id } = await on.world.tester.push(path, await testImage(), { tags: ['1'] });
    await on.world.tester.push(path, await testImage(), { tags: ['2'] });
    const rules = { keepDays: 1 };
    on.clock.advance(24 * 3600 * 1000);
    await on.world.anonymous.get(`/v1/imagefile/${path}:1?arch=amd64`);
    await vi.waitFor(async () => {
      const { body } = await on.world.tester.send('POST', `/v1/manage/retention/${path}`, { rules });
      expect(body.data.images).toContainEqual(expect.objectContaining({ id, kept: 'days' }));
      expect(body.data).toMatchObject({ removed: 1 });
    }, 10_000);
  });
});

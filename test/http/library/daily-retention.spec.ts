import { expect, it, vi } from 'vitest';
import { LIMITS } from '#apps/library/src/limits';
import { DailyRetention } from '#apps/library/src/manage/dailyRetention.service';
import { LeasesStore } from '#apps/library/src/manage/leases.store';
import { ImagesService } from '#apps/library/src/images/images.service';
import { waitForEntries } from '../../support/audit.js';
import { describeManaged } from './managed.js';
import { hashOf, type StockClient, testImage } from './world.js';

const HOURS = 3600 * 1000;
const DAILY = { keepLast: 1, apply: 'daily' };

describeManaged('rules that the library applies by itself', (on) => {
  const { change, statusOf } = on;
  let names = 0;

  /** Somebody with an entity of their own, and what is asked of it. */
  const owner = async () => {
    const name = `keeper${(names += 1)}`;
    const claims = { exp: Math.floor(on.clock.now().getTime() / 1000) + 3600 };
    const client = () =>
      on.world.authority.token({ username: name, claims }).then((token) => on.world.client(token));
    return { name, client: await client() };
  };
  /** A container with three images, the newest of which has the tag `3`. @returns their bytes */
  const fill = async (client: StockClient, path: string): Promise<Buffer[]> => {
    const images = [];
    const container = await client.place(path);
    for (const tag of ['1', '2', '3']) {
      const bytes = await testImage();
      images.push(bytes);
      await client.pushTo(container, bytes, { tags: [tag] });
      on.clock.advance(1000);
    }
    return images;
  };
  const left = async (path: string): Promise<string[]> => {
    const { body } = await on.world.anonymous.get(`/v1/manage/images/${path}`);
    return (body.data as { tags: string[] }[]).flatMap(({ tags }) => tags);
  };
  const round = () => on.world.app.get(DailyRetention).round();
  const tomorrow = async () => {
    on.clock.advance(LIMITS.retentionRound);
    return round();
  };

  it('a day after they were set, and once a day, for a container', async () => {
    const { name, client } = await owner();
    const path = `${name}/daily/one`;
    const [bytes = Buffer.alloc(0)] = await fill(client, path);
    expect((await change(`containers/${path}`, { retention: DAILY }, client)).body.data.retention).toEqual(
      DAILY,
    );
    on.clock.advance(LIMITS.retentionRound - 1);
    expect(await round()).toBe(0);
    on.clock.advance(1);
    expect(await round()).toBe(2);
    expect(await left(path)).toEqual(['3']);
    expect(await on.world.blobs()).not.toContain(hashOf(bytes).slice('sha256.'.length));
    expect(await round()).toBe(0);
    const later = await owner();
    expect(later.name).not.toBe(name);
    const claims = { exp: Math.floor(on.clock.now().getTime() / 1000) + 3600 };
    const again = on.world.client(await on.world.authority.token({ username: name, claims }));
    await again.push(path, await testImage(), { tags: ['4'] });
    expect(await round()).toBe(0);
    expect(await tomorrow()).toBe(1);
    expect(await left(path)).toEqual(['4']);
  });

  it('for the containers of an entity that have none of their own', async () => {
    const { name, client } = await owner();
    const [plain, own, guarded] = ['plain', 'own', 'guarded'].map((one) => `${name}/all/${one}`) as [
      string,
      string,
      string,
    ];
    for (const path of [plain, own, guarded]) await fill(client, path);
    await change(`containers/${own}`, { retention: { keepDays: 365 } }, client);
    await change(`containers/${guarded}`, { protectedTags: ['1'] }, client);
    await change(`entities/${name}`, { retention: DAILY }, client);
    expect(await tomorrow()).toBe(3);
    expect([await left(plain), await left(own), await left(guarded)]).toEqual([
      ['3'],
      ['3', '2', '1'],
      ['3', '1'],
    ]);
  });

  it('and not where they are applied when somebody asks, or no longer', async () => {
    const { name, client } = await owner();
    const [asked, no] = [`${name}/kept/asked`, `${name}/kept/no`];
    for (const path of [asked, no]) await fill(client, path);
    await change(`containers/${asked}`, { retention: { keepLast: 1, apply: 'asked' } }, client);
    await change(`containers/${no}`, { retention: DAILY }, client);
    await change(`containers/${no}`, { retention: null }, client);
    await change(`entities/${name}`, { retention: DAILY }, client);
    await change(`entities/${name}`, { retention: { keepLast: 1 } }, client);
    expect(await tomorrow()).toBe(0);
    expect([await left(asked), await left(no)]).toEqual([
      ['3', '2', '1'],
      ['3', '2', '1'],
    ]);
  });

  it('the trail says which rules, whose they are, and that nobody asked', async () => {
    const { name, client } = await owner();
    const [first, second] = [`${name}/trail/own`, `${name}/trail/all`];
    const [oldest = Buffer.alloc(0)] = await fill(client, first);
    const [other = Buffer.alloc(0)] = await fill(client, second);
    await change(`containers/${first}`, { retention: DAILY }, client);
    await change(`entities/${name}`, { retention: { ...DAILY, keepTags: ['2'] } }, client);
    expect(await tomorrow()).toBe(3);
    const claims = { exp: Math.floor(on.clock.now().getTime() / 1000) + 3600 };
    const token = await on.world.authority.token({ username: 'root', administrator: true, claims });
    for (const [path, bytes, reason, rules] of [
      [first, oldest, 'retention_of_container', DAILY],
      [second, other, 'retention_of_entity', { ...DAILY, keepTags: ['2'] }],
    ] as const) {
      const subject = encodeURIComponent(`${path}@${hashOf(bytes)}`);
      const [entry] = await waitForEntries(on.world.app, token, `subject=${subject}&action=image.delete`, 1);
      expect(entry).toMatchObject({ actor: null, address: null, reason, outcome: 'done' });
      expect(entry?.before).toMatchObject({ digest: hashOf(bytes), retention: rules });
    }
  });

  it('by one process for all, and by the next one when that is gone', async () => {
    const { name, client } = await owner();
    const path = `${name}/leased/one`;
    await fill(client, path);
    await change(`containers/${path}`, { retention: DAILY }, client);
    on.clock.advance(LIMITS.retentionRound);
    const now = on.clock.now().getTime();
    const leases = on.world.app.get(LeasesStore);
    expect(await leases.take('retention', { by: 'another', now, until: now + 1 * HOURS })).toBe(true);
    expect(await round()).toBe(0);
    on.clock.advance(1 * HOURS);
    expect(await round()).toBe(2);
  });

  it('to the end by the next round where one was cut off, whatever is missing then', async () => {
    const { name, client } = await owner();
    const path = `${name}/cut/one`;
    await fill(client, path);
    const whole = `${name}/cut/two`;
    await fill(client, whole);
    for (const one of [path, whole]) await change(`containers/${one}`, { retention: DAILY }, client);
    on.clock.advance(LIMITS.retentionRound);
    const images = on.world.app.get(ImagesService);
    const remove = images.removeStored.bind(images);
    let removals = 0;
    const cut = vi.spyOn(images, 'removeStored').mockImplementation(async (...args) => {
      if ((removals += 1) === 2) throw new Error('The power went');
      await remove(...args);
    });
    // The others are not kept waiting by it.
    expect(await round()).toBe(2);
    cut.mockRestore();
    on.clock.advance(LIMITS.retentionLease);
    expect(await round()).toBe(1);
    expect([await left(path), await left(whole)]).toEqual([['3'], ['3']]);
  });

  it.each([null, { keepLast: 1 }])('by the rules as they are at that moment: %j', async (retention) => {
    const { name, client } = await owner();
    const [first, second] = [`${name}/moment/a`, `${name}/moment/b`];
    for (const path of [first, second]) await fill(client, path);
    await change(`entities/${name}`, { retention: DAILY }, client);
    on.clock.advance(LIMITS.retentionRound);
    const claims = { exp: Math.floor(on.clock.now().getTime() / 1000) + 3600 };
    const again = on.world.client(await on.world.authority.token({ username: name, claims }));
    const images = on.world.app.get(ImagesService);
    const remove = images.removeStored.bind(images);
    let removals = 0;
    const late = vi.spyOn(images, 'removeStored').mockImplementation(async (...args) => {
      await remove(...args);
      if ((removals += 1) === 2) await change(`entities/${name}`, { retention }, again);
    });
    expect(await round()).toBe(2);
    late.mockRestore();
    expect([await left(first), await left(second)]).toEqual([['3'], ['3', '2', '1']]);
  });

  it('a dry run of an entity shows all of its containers, page by page, and removes nothing', async () => {
    const { name, client } = await owner();
    const paths = ['a', 'b', 'c', 'd'].map((one) => `${name}/dry/${one}`) as [string, string, string, string];
    for (const path of paths) await fill(client, path);
    await change(`containers/${paths[1]}`, { private: true, retention: { keepTags: ['1', '2'] } }, client);
    const run = (body: object) => client.send('POST', `/v1/manage/retention/${name}`, body);
    const shown: { container: string; of: string; removed: number; images: { tags: string[] }[] }[] = [];
    let cursor: string | undefined;
    do {
      const { body } = await run({
        rules: { keepLast: 2 },
        limit: 2,
        ...(cursor === undefined ? {} : { cursor }),
      });
      expect(body.data.dryRun).toBe(true);
      shown.push(...(body.data.containers as typeof shown));
      cursor = body.page?.next as string | undefined;
    } while (cursor !== undefined);
    expect(
      shown.map(({ container, of, removed, images }) => [container, of, removed, images[0]?.tags]),
    ).toEqual([
      [paths[0], 'entity', 1, ['1']],
      [paths[1], 'container', 1, ['3']],
      [paths[2], 'entity', 1, ['1']],
      [paths[3], 'entity', 1, ['1']],
    ]);
    expect(await left(paths[0])).toEqual(['3', '2', '1']);
    // Without rules of the entity those with their own are shown alone, and applied when that is asked for.
    expect((await run({})).body.data).toMatchObject({
      rules: null,
      removed: 1,
      containers: [{ container: paths[1] }],
    });
    expect((await run({ dryRun: false, rules: { keepLast: 1 } })).status).toBe(400);
    await change(`entities/${name}`, { retention: { keepLast: 2 } }, client);
    expect((await run({ dryRun: false })).body.data).toMatchObject({ dryRun: false, removed: 4 });
    expect(await left(paths[0])).toEqual(['3', '2']);
    // A single container goes by them, too.
    const one = await client.send('POST', `/v1/manage/retention/${paths[0]}`, {});
    expect(one.body.data).toMatchObject({ rules: { keepLast: 2 }, removed: 0 });
  });

  it('are owners’ to set, to ask about and to see', async () => {
    const { name, client } = await owner();
    await client.place(`${name}/own/one`);
    await change(`entities/${name}`, { retention: DAILY }, client);
    const claims = { exp: Math.floor(on.clock.now().getTime() / 1000) + 3600 };
    const writer = on.world.client(
      await on.world.authority.token({ username: 'helper', organisations: { [name]: 'writer' }, claims }),
    );
    expect(await statusOf(change(`entities/${name}`, { retention: null }, writer))).toBe(403);
    expect(await statusOf(writer.send('POST', `/v1/manage/retention/${name}`, {}))).toBe(403);
    expect((await client.get(`/v1/entities/${name}`)).body.data.retention).toEqual(DAILY);
    expect((await on.world.anonymous.get(`/v1/entities/${name}`)).body.data.retention).toBeNull();
    expect(await statusOf(change(`entities/${name}`, { retention: { apply: 'daily' } }, client))).toBe(400);
  });
});

import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { StarsStore } from '#apps/library/src/stars/stars.store';
import { ManualClock } from '#libs/core';
import { waitForEntries } from '../../support/audit.js';
import { DATABASES } from '../../support/databases.js';
import { requireNothingWrong } from './checked.js';
import { startLibrary, type StockClient, type World } from './world.js';

describe.each(DATABASES)('stars over $name', ({ name: database, open }) => {
  const atomic = database === 'SQLite' || process.env['SCS_TEST_MONGO_URL'] !== undefined;

  let world: World;
  let clock: ManualClock;
  beforeAll(async () => {
    clock = new ManualClock(new Date().toISOString());
    world = await startLibrary({ open, clock });
  });
  afterAll(async () => {
    await requireNothingWrong(world);
    await world.stop();
  });

  const star = (path: string, client: StockClient, method = 'PUT') =>
    client.send(method, `/v1/manage/stars/${path}`);
  const starsOf = async (path: string) =>
    (await world.tester.get(`/v1/containers/${path}`)).body.data.stars as number;
  const mine = async (client: StockClient) =>
    ((await client.get('/v1/manage/stars')).body.data as { name: string }[]).map(({ name }) => name);

  it('are one of an account, given and taken back as often as somebody likes', async () => {
    const path = 'tester/stars/liked';
    await world.tester.place(path);
    for (const client of [world.other, world.other, world.tester]) await star(path, client);
    expect((await star(path, world.other)).body).toEqual({ data: { starred: true, stars: 2 } });
    expect(await starsOf(path)).toBe(2);
    for (let times = 0; times < 2; times += 1)
      expect((await star(path, world.other, 'DELETE')).body).toEqual({ data: { starred: false, stars: 1 } });
    expect(await starsOf(path)).toBe(1);
  });

  it('are counted exactly when many are given at once', async () => {
    const path = 'tester/stars/busy';
    await world.tester.place(path);
    const people = await Promise.all(
      Array.from({ length: 12 }, async (_, index) =>
        world.client(await world.authority.token({ username: `fan${index}` })),
      ),
    );
    // Each of them twice, and half of them change their minds.
    await Promise.all(people.flatMap((client) => [star(path, client), star(path, client)]));
    expect(await starsOf(path)).toBe(12);
    await Promise.all(
      people.slice(0, 6).flatMap((one) => [star(path, one, 'DELETE'), star(path, one, 'DELETE')]),
    );
    expect(await starsOf(path)).toBe(6);
  });

  it('are listed for whoever gave them, the latest first, page by page', async () => {
    const fan = world.client(await world.authority.token({ username: 'lister' }));
    for (const name of ['a', 'b', 'c']) {
      await world.tester.place(`tester/listed/${name}`);
      await star(`tester/listed/${name}`, fan);
      clock.advance(1000);
    }
    const first = (await fan.get('/v1/manage/stars?limit=2')).body;
    expect(first.data).toMatchObject([
      { entity: 'tester', collection: 'listed', name: 'c', stars: 1, private: false },
      { name: 'b' },
    ]);
    const rest = (await fan.get(`/v1/manage/stars?cursor=${encodeURIComponent(String(first.page.next))}`))
      .body;
    expect(rest.data).toMatchObject([{ name: 'a' }]);
    expect(await mine(world.admin)).toEqual([]);
  });

  it('of what became private are not shown any more, nor given, nor taken back', async () => {
    const path = 'tester/stars/closed';
    await world.tester.place(path);
    const fan = world.client(await world.authority.token({ username: 'outsider' }));
    await star(path, fan);
    expect(await mine(fan)).toEqual(['closed']);
    await world.tester.send('PATCH', `/v1/manage/containers/${path}`, { private: true });
    expect(await mine(fan)).toEqual([]);
    const absent = await star('tester/stars/closex', fan);
    for (const method of ['PUT', 'DELETE']) {
      const { status, body } = await star(path, fan, method);
      expect(status).toBe(404);
      expect(body.error.message.replace('closed', 'closex')).toBe(absent.body.error.message);
    }
    expect(await starsOf(path)).toBe(1);
    await world.tester.send('PATCH', `/v1/manage/containers/${path}`, { private: false });
    expect(await mine(fan)).toEqual(['closed']);
  });

  it('need a token that reads there', async () => {
    await world.tester.place('tester/stars/narrow');
    const scopes = ['library:read:other/x', 'library:write'];
    const narrow = world.client(await world.authority.token({ username: 'other', scopes }));
    expect((await star('tester/stars/narrow', narrow)).body.error).toMatchObject({ reason: 'scope_missing' });
  });

  it('go with their container', async () => {
    const path = 'tester/stars/doomed';
    await world.tester.place(path);
    await star(path, world.other);
    expect((await world.tester.send('DELETE', `/v1/manage/containers/${path}`)).status).toBe(200);
    expect(await mine(world.other)).not.toContain('doomed');
    await world.tester.place(path);
    expect(await starsOf(path)).toBe(0);
  });

  it.runIf(atomic)(
    'one that is given while its container is removed goes with it, or finds none',
    async () => {
      const path = 'tester/stars/racing';
      const container = await world.tester.place(path);
      const stars = world.app.get(StarsStore);
      const list = stars.ofContainer.bind(stars);
      let late: Promise<unknown> | undefined;
      // The look that finds none any more.
      const looks = vi.spyOn(stars, 'ofContainer').mockImplementation(async (id, limit) => {
        const found = await list(id, limit);
        if (limit === 1) await (late ??= star(path, world.other));
        return found;
      });
      expect((await world.tester.send('DELETE', `/v1/manage/containers/${path}`)).status).toBe(200);
      looks.mockRestore();
      expect(late).toBeDefined();
      expect(await list(container, 10)).toEqual([]);
    },
  );

  it('are in the audit trail, once', async () => {
    const path = 'tester/stars/logged';
    await world.tester.place(path);
    await star(path, world.other);
    await star(path, world.other);
    await star(path, world.other, 'DELETE');
    const entries = await waitForEntries(world.app, String(world.admin.token), `subject=${path}`, 3);
    expect(entries.map(({ action, actor }) => `${action} ${actor?.username}`)).toEqual([
      'container.unstar other',
      'container.star other',
      'container.create tester',
    ]);
  });
});

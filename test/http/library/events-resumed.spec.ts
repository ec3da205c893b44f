import { cp, rm } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { DATABASE, type Database } from '#apps/library/src/database.store';
import { EventFeed } from '#apps/library/src/events/feed.store';
import { Sequencer } from '#apps/library/src/events/sequencer.service';
import { LIMITS } from '#apps/library/src/limits';
import { ManualClock } from '#libs/core';
import { openEvents } from '../../support/event-stream.js';
import { temporaryFolder } from '../../support/temporary.js';
import { TestAuthority } from '../../support/tokens.js';
import { describeListened, Listener } from './event-scene.js';
import { startLibrary, testImage } from './world.js';

describeListened('events of the library, gone on with,', (on) => {
  const { listen, newPlace, change, sentinel, settled } = on;

  describe('a stream', () => {
    it('goes on where it was, without loss and without telling anything twice', async () => {
      const place = newPlace();
      const container = await on.world.tester.place(place);
      const { id } = await on.world.tester.push(place, await testImage());
      await settled();
      const first = await listen(on.world.tester);
      const tags = Array.from({ length: 12 }, (_, index) => `t${index}`);
      const seen: string[] = [];
      let at = first;
      for (const tag of tags) {
        await on.world.tester.tag(container, tag, id);
        if (seen.length % 3 === 0) {
          at.stream.close();
          at = await listen(on.world.tester, { after: at.id });
        }
        seen.push(...(await at.upTo(place, 'tag.set')).map((event) => event.tag ?? ''));
      }
      expect(seen).toEqual(tags);
      const all = await (await listen(on.world.tester, { after: first.id })).upTo(await sentinel());
      expect(all.flatMap((event) => (event.place === place ? [event.tag] : [])).slice(-1)).toEqual(['t11']);
    });

    it('says that it is still there, and where to go on', async () => {
      const listener = await listen(on.world.anonymous);
      const before = listener.id;
      let beat = await listener.next();
      while (beat?.comment === undefined) beat = await listener.next();
      expect(beat).toMatchObject({ comment: 'still here', data: undefined });
      expect(listener.id).not.toBe(before);
      const place = await sentinel();
      const again = await listen(on.world.anonymous, { after: listener.id });
      await again.upTo(place);
    });

    it.each(['x', 'A'.repeat(59), '1'])('refuses the id %s, which it never gave', async (id) => {
      const { status, body } = await on.world.app.request('/v1/events', { headers: { 'last-event-id': id } });
      expect([status, body.error.reason]).toEqual([400, 'invalid_cursor']);
      expect((await on.world.anonymous.get(`/v1/events?after=${id}`)).status).toBe(400);
    });
  });

  it('reach everybody once while many push, and through other processes', async () => {
    const shared = async () => ({ env: on.database.env, stop: async () => undefined });
    // Of the stand-in, which knows no transactions, two processes could give one event two numbers.
    const others =
      on.databaseName === 'MongoDB' && process.env['SCS_TEST_MONGO_URL'] !== undefined
        ? [await startLibrary({ open: shared, authority: on.world.authority, clock: on.clock })]
        : [];
    const [CLIENTS, EACH] = on.databaseName === 'MongoDB' ? [4, 2] : [8, 6];
    try {
      const worlds = [on.world, ...others];
      const listening = await Promise.all(
        worlds.map((to) => listen(on.world.tester, { to, entity: 'tester' })),
      );
      const places = Array.from({ length: CLIENTS }, () => newPlace());
      await Promise.all(
        places.map(async (place, index) => {
          const to = worlds[index % worlds.length] ?? on.world;
          const client = to.client(on.world.tester.token);
          for (let turn = 0; turn < EACH; turn += 1)
            await client.push(place, await testImage(), { tags: [`t${turn}`] });
        }),
      );
      await change('entities/tester', { description: 'All have pushed' });
      for (const listener of listening) {
        const told = await listener.upTo('tester', 'entity.change');
        expect(new Set(told.map(({ id }) => id)).size).toBe(told.length);
        for (const place of places) {
          const mine = told.filter((event) => event.place === place);
          expect(mine.filter(({ kind }) => kind === 'image.push')).toHaveLength(EACH);
          expect(mine.flatMap(({ kind, tag }) => (kind === 'tag.set' ? [tag] : []))).toEqual(
            Array.from({ length: EACH }, (_, turn) => `t${turn}`),
          );
        }
      }
      // Numbers without a gap: a reader of pages skips none.
      const feed = on.world.app.get(EventFeed);
      const { head = 0, first = 1 } = (await feed.feed())?.value ?? {};
      const numbers: number[] = [];
      for (let after = first - 1; after < head;) {
        const { items } = await feed.page({ index: 'bySequence', equal: [] }, { after, head, limit: 500 });
        numbers.push(...items.map(({ value }) => value.sequence));
        after = numbers.at(-1) ?? head;
      }
      expect(numbers).toEqual(Array.from({ length: head - first + 1 }, (_, index) => first + index));
    } finally {
      on.closeAll();
      for (const other of others) await other.stop();
    }
  });

  it('a stream begins anew where what it wants to know is forgotten', async () => {
    // Its own time: what others may do ends with this much of it.
    const clock = new ManualClock(new Date().toISOString());
    const world = await startLibrary({ open: async () => on.database.another(), clock });
    try {
      const listener = await listen(world.anonymous, { to: world });
      await world.other.place('other/before/app');
      await listener.upTo('other/before/app');
      clock.advance(LIMITS.eventsKept + 1000);
      const late = await listen(world.anonymous, { after: listener.id, to: world });
      expect(await late.next()).toMatchObject({ event: 'reset', data: '{}' });
      // The tokens of before have expired.
      const exp = Math.floor(clock.now().getTime() / 1000) + 3600;
      const other = world.client(await world.authority.token({ username: 'other', claims: { exp } }));
      await other.place('other/after/app');
      await late.upTo('other/after/app');
      await world.app.get(Sequencer).sweep();
      // What everybody listens to now is still there, and nothing of before.
      const feed = (await world.app.get(EventFeed).feed())?.value;
      const { items } = await world.app
        .get(EventFeed)
        .page({ index: 'bySequence', equal: [] }, { after: 0, head: feed?.head ?? 0, limit: 1000 });
      expect(items.length).toBeGreaterThan(0);
      expect(items[0]?.value.sequence).toBe(feed?.first);
      expect(items.every(({ value }) => value.time >= clock.now().toISOString())).toBe(true);
    } finally {
      on.closeAll();
      await world.stop();
    }
  });
});

describe('events', () => {
  it('of a process that was killed are told by the next one, once, to whoever goes on there', async () => {
    const authority = await TestAuthority.make();
    // The feed is at a stand: what happens stays in the inbox.
    const limits = { eventsBusy: 3_600_000 };
    const killed = await startLibrary({ authority, limits });
    const folder = await temporaryFolder();
    try {
      await killed.tester.place('tester/kept/app');
      const listener = new Listener(await openEvents(killed.app, '/v1/events'));
      await listener.next();
      listener.stream.close();
      const { id } = await killed.tester.push('tester/kept/app', await testImage(), { tags: ['v1'] });
      expect(id).toMatch(/^[0-9a-f]{24}$/);
      await rm(folder.path, { recursive: true });
      await cp(killed.app.home, folder.path, { recursive: true, filter: (path) => !path.endsWith('.lock') });
      const next = await startLibrary({ authority, home: folder.path });
      try {
        const again = new Listener(
          await openEvents(next.app, '/v1/events', { 'last-event-id': listener.id }),
        );
        const told = await again.upTo('tester/kept/app', 'tag.set');
        expect(told.map(({ kind }) => kind)).toEqual([
          'entity.create',
          'collection.create',
          'container.create',
          'image.push',
          'tag.set',
        ]);
        again.stream.close();
        const database: Database = next.app.get(DATABASE);
        expect(database.driver).toBe('sqlite');
        expect(await next.app.get(EventFeed).waiting(10)).toEqual([]);
      } finally {
        await next.stop();
      }
    } finally {
      await killed.stop();
      await folder.remove();
    }
  });

  it('streams end when the server does', async () => {
    const world = await startLibrary();
    const stream = await openEvents(world.app, '/v1/events');
    await stream.next();
    const begin = performance.now();
    await world.stop();
    expect(await stream.next()).toBeUndefined();
    expect(performance.now() - begin).toBeLessThan(10_000);
    stream.close();
  });
});

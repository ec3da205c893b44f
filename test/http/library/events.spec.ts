import { cp, rm } from 'node:fs/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { DATABASE, type Database } from '#apps/library/src/database.store';
import { EventFeed } from '#apps/library/src/events/feed.store';
import { Sequencer } from '#apps/library/src/events/sequencer.service';
import { LIMITS } from '#apps/library/src/limits';
import type { LibraryEvent } from '#libs/contract';
import { ManualClock } from '#libs/core';
import { mongoDatabase, sqliteDatabase, type TestDatabase } from '../../support/databases.js';
import { type EventStream, openEvents, type StreamEvent } from '../../support/event-stream.js';
import { temporaryFolder } from '../../support/temporary.js';
import { TestAuthority } from '../../support/tokens.js';
import { hashOf, startLibrary, type StockClient, testImage, type World } from './world.js';

/** What a stream says, beside its ids. */
class Listener {
  /** The id that was told last. */
  id = '';
  readonly seen: LibraryEvent[] = [];

  constructor(readonly stream: EventStream) {}

  async next(): Promise<StreamEvent | undefined> {
    const event = await this.stream.next();
    if (event?.id !== undefined) this.id = event.id;
    if (event?.data !== undefined && event.event !== 'reset') {
      const told = JSON.parse(event.data) as LibraryEvent;
      if (event.event !== told.kind) throw new Error(`${event.event} says that it is ${told.kind}`);
      this.seen.push(told);
    }
    return event;
  }

  /** Reads until something happens to a place. @returns everything up to there, without what was told before */
  async upTo(place: string, kind?: string): Promise<LibraryEvent[]> {
    const before = this.seen.length;
    for (;;) {
      const last = this.seen.at(-1);
      const found = last?.place === place && (kind === undefined || last.kind === kind);
      if (this.seen.length > before && found) return this.seen.slice(before);
      if ((await this.next()) === undefined) throw new Error('the stream has ended');
    }
  }

  async ended(): Promise<boolean> {
    for (;;) if ((await this.stream.next()) === undefined) return true;
  }
}

describe.each([
  { name: 'SQLite', open: sqliteDatabase },
  { name: 'MongoDB', open: mongoDatabase },
])('events of the library over $name', ({ name, open }) => {
  let world: World;
  let clock: ManualClock;
  let database: TestDatabase;
  let serial = 0;
  const listeners: Listener[] = [];
  const shared = async (): Promise<TestDatabase> => ({ env: database.env, stop: async () => undefined });

  beforeAll(async () => {
    clock = new ManualClock(new Date().toISOString());
    database = await open();
    world = await startLibrary({ open: shared, clock, limits: { eventHeartbeat: 100, eventBeats: 100_000 } });
  });
  afterEach(() => {
    for (const { stream } of listeners.splice(0)) stream.close();
  });
  afterAll(async () => {
    await world.stop();
    await database.stop();
  });

  /** Opens a stream and reads its first id. */
  const listen = async (
    client: StockClient,
    { entity, after, to = world }: { entity?: string; after?: string; to?: World } = {},
  ): Promise<Listener> => {
    const listener = new Listener(
      await openEvents(to.app, `/v1/events${entity === undefined ? '' : `?entity=${entity}`}`, {
        ...(client.token === undefined ? {} : { authorization: `Bearer ${client.token}` }),
        ...(after === undefined ? {} : { 'last-event-id': after }),
      }),
    );
    listeners.push(listener);
    expect(listener.stream.status).toBe(200);
    expect(await listener.next()).toMatchObject({ data: undefined });
    return listener;
  };
  const newPlace = (entity = 'tester'): string => `${entity}/c${(serial += 1)}/app`;
  const change = async (path: string, body: object, client = world.tester): Promise<void> => {
    expect((await client.send('PATCH', `/v1/manage/${path}`, body)).status).toBe(200);
  };
  const remove = async (path: string, client = world.tester): Promise<void> => {
    expect((await client.send('DELETE', `/v1/manage/${path}`)).status).toBe(200);
  };
  /** Something that everybody may know of, behind everything that happened before. */
  const sentinel = async (client: StockClient = world.other): Promise<string> => {
    const place = `other/s${(serial += 1)}/end`;
    await client.place(place);
    return place;
  };
  /** What happened so far has its place in the feed: a stream that begins now tells nothing of it. */
  const settled = async (): Promise<string> => {
    const listener = await listen(world.anonymous);
    await listener.upTo(await sentinel());
    return listener.id;
  };
  const kindsOf = (events: readonly LibraryEvent[], place: string): string[] =>
    events.filter((event) => event.place.startsWith(place)).map(({ kind }) => kind);

  it('tell what is pushed, tagged, moved, untagged and removed, as it happens', async () => {
    const place = newPlace();
    const collection = place.split('/').slice(0, 2).join('/');
    await world.tester.entity('tester');
    await settled();
    const everybody = await listen(world.anonymous);
    const member = await listen(world.tester, { entity: 'tester' });
    const [one, two] = [await testImage(), await testImage()];
    const { container } = await world.tester.push(place, one, { tags: ['v1'] });
    const { id } = await world.tester.push(place, two, { tags: ['v1'] });
    await world.tester.tag(container, 'v2', id);
    await remove(`tags/${place}/v2?arch=amd64`);
    await world.tester.send('DELETE', `/v1/images/${place}:${hashOf(two)}?arch=amd64`);
    const told = await everybody.upTo(place, 'image.delete');
    await remove(`containers/${place}`);
    await remove(`collections/${collection}`);
    told.push(...(await everybody.upTo(collection, 'collection.delete')).slice(-2));
    expect(told).toEqual(
      [
        { kind: 'collection.create', place: collection, private: false },
        { kind: 'container.create', place, private: false },
        { kind: 'image.push', place, hash: hashOf(one), size: one.length, arch: 'amd64' },
        { kind: 'tag.set', place, tag: 'v1', arch: 'amd64', hash: hashOf(one) },
        { kind: 'image.push', place, hash: hashOf(two), size: two.length, arch: 'amd64' },
        { kind: 'tag.move', place, tag: 'v1', arch: 'amd64', hash: hashOf(two), previous: hashOf(one) },
        { kind: 'tag.set', place, tag: 'v2', arch: 'amd64', hash: hashOf(two) },
        { kind: 'tag.delete', place, tag: 'v2', arch: 'amd64', hash: hashOf(two) },
        { kind: 'image.delete', place, hash: hashOf(two), size: two.length, arch: 'amd64' },
        { kind: 'container.delete', place },
        { kind: 'collection.delete', place: collection },
      ].map((event) => ({
        ...event,
        id: expect.stringMatching(/^[0-9a-f]{24}$/),
        time: clock.now().toISOString(),
      })),
    );
    // Members see who it was, and the same ids; and of what is gone by now, what went with it.
    const seen = await member.upTo(collection, 'collection.delete');
    const withIt = seen.findLast(({ kind }) => kind === 'image.delete');
    expect(withIt).toMatchObject({ hash: hashOf(one), by: 'tester' });
    expect(seen.filter(({ id }) => id !== withIt?.id)).toEqual(
      told.map((event) => ({ ...event, by: 'tester' })),
    );
  });

  it('tell changes of places, with a former name only where it was no secret', async () => {
    const place = newPlace();
    const [, collection = ''] = place.split('/');
    await world.tester.place(place);
    await settled();
    const listener = await listen(world.tester, { entity: 'tester' });
    await change(`containers/${place}`, { name: 'other-name', readOnly: true });
    await change(`containers/tester/${collection}/other-name`, { private: true });
    await change(`containers/tester/${collection}/other-name`, { name: 'third', private: false });
    await change('entities/tester', { description: 'Tests' });
    const told = await listener.upTo('tester', 'entity.change');
    expect(told).toMatchObject([
      {
        kind: 'container.change',
        place: `tester/${collection}/other-name`,
        readOnly: true,
        formerName: 'app',
      },
      { kind: 'container.change', private: true },
      { kind: 'container.change', place: `tester/${collection}/third`, private: false },
      { kind: 'entity.change', place: 'tester', private: false },
    ]);
    expect(told[2]).not.toHaveProperty('formerName');
  });

  describe('to strangers', () => {
    it('say nothing of what is private, not even by their ids', async () => {
      const place = newPlace();
      const container = await world.tester.place(place);
      await change(`containers/${place}`, { private: true });
      const after = await settled();
      const listening = await Promise.all(
        [world.anonymous, world.other].map((client) => listen(client, { after })),
      );
      const ofEntity = await listen(world.other, { entity: 'tester' });
      const member = await listen(world.tester);
      const { id } = await world.tester.push(place, await testImage(), { tags: ['v1'] });
      await world.tester.tag(container, 'v2', id);
      const end = await sentinel();
      expect(kindsOf(await member.upTo(end), place)).toEqual(['image.push', 'tag.set', 'tag.set']);
      for (const listener of listening) {
        const told = await listener.upTo(end);
        expect(new Set(told.map((event) => event.place.split('/')[0]))).toEqual(new Set(['other']));
        // Sealed, of one length, and never the same twice: nobody counts what they do not see.
        expect(listener.id).toMatch(/^[\w-]{59}$/);
      }
      await change('entities/tester', { description: 'Still tests' });
      expect((await ofEntity.upTo('tester')).map(({ kind }) => kind)).toEqual(['entity.change']);
      const [a, b] = [await listen(world.anonymous), await listen(world.anonymous)];
      expect(a.id).not.toBe(b.id);
    });

    it('do not say later what was private then, nor what has become private since', async () => {
      const [hidden, opened] = [newPlace(), newPlace()];
      const from = await settled();
      for (const place of [hidden, opened]) await world.tester.push(place, await testImage());
      await change(`containers/${opened}`, { private: true });
      await world.tester.push(opened, await testImage(), { tags: ['secret'] });
      await change(`containers/${opened}`, { private: false });
      await change(`containers/${hidden}`, { private: true });
      const end = await sentinel();
      const told = await (await listen(world.anonymous, { after: from })).upTo(end);
      expect(kindsOf(told, hidden)).toEqual([]);
      expect(kindsOf(told, opened)).toEqual([
        'container.create',
        'image.push',
        'tag.set',
        // That it was private for a while, nobody is told; that it is public now, everybody.
        'container.change',
      ]);
      expect(told.some(({ tag }) => tag === 'secret')).toBe(false);
      // What is gone says only that, and only to whoever could know of it.
      await remove(`containers/${hidden}`);
      await remove(`containers/${opened}`);
      const last = await sentinel();
      const after = await (await listen(world.anonymous, { after: from })).upTo(last);
      expect(kindsOf(after, hidden)).toEqual([]);
      expect(kindsOf(after, opened)).toEqual(['container.delete']);
      const member = await (await listen(world.tester, { after: from })).upTo(last);
      expect(kindsOf(member, hidden)).toContain('container.delete');
    });

    it('an entity that is private is not there', async () => {
      await world.admin.entity('vault', { defaultPrivate: true });
      const [hidden, missing] = await Promise.all(
        ['vault', 'nobodys'].map((entity) => world.other.get(`/v1/events?entity=${entity}`)),
      );
      expect(hidden?.status).toBe(404);
      expect(JSON.stringify(hidden?.body).replaceAll('vault', 'nobodys')).toBe(JSON.stringify(missing?.body));
      expect((await world.other.send('HEAD', '/v1/events?entity=vault')).status).toBe(404);
      expect((await world.other.send('HEAD', '/v1/events?entity=tester')).status).toBe(200);
    });

    it('and to a token for one place say nothing of another one that is private', async () => {
      const [one, two] = [newPlace(), newPlace()];
      for (const place of [one, two]) {
        await world.tester.place(place);
        await change(`containers/${place}`, { private: true });
      }
      await settled();
      const narrow = world.client(
        await world.authority.token({
          username: 'tester',
          scopes: [`library:read:${one}`],
          claims: { exp: Math.floor(Date.now() / 1000) + 100 * 3600 },
        }),
      );
      const listener = await listen(narrow);
      for (const place of [one, two]) await world.tester.push(place, await testImage());
      const told = await listener.upTo(await sentinel());
      expect(kindsOf(told, one)).toEqual(['image.push', 'tag.set']);
      expect(kindsOf(told, two)).toEqual([]);
    });
  });

  describe('a stream', () => {
    it('goes on where it was, without loss and without telling anything twice', async () => {
      const place = newPlace();
      const container = await world.tester.place(place);
      const { id } = await world.tester.push(place, await testImage());
      await settled();
      const first = await listen(world.tester);
      const tags = Array.from({ length: 12 }, (_, index) => `t${index}`);
      const seen: string[] = [];
      let at = first;
      for (const tag of tags) {
        await world.tester.tag(container, tag, id);
        if (seen.length % 3 === 0) {
          at.stream.close();
          at = await listen(world.tester, { after: at.id });
        }
        seen.push(...(await at.upTo(place, 'tag.set')).map((event) => event.tag ?? ''));
      }
      expect(seen).toEqual(tags);
      const all = await (await listen(world.tester, { after: first.id })).upTo(await sentinel());
      expect(all.flatMap((event) => (event.place === place ? [event.tag] : [])).slice(-1)).toEqual(['t11']);
    });

    it('says that it is still there, and where to go on', async () => {
      const listener = await listen(world.anonymous);
      const before = listener.id;
      let beat = await listener.next();
      while (beat?.comment === undefined) beat = await listener.next();
      expect(beat).toMatchObject({ comment: 'still here', data: undefined });
      expect(listener.id).not.toBe(before);
      const place = await sentinel();
      const again = await listen(world.anonymous, { after: listener.id });
      await again.upTo(place);
    });

    it.each(['x', 'A'.repeat(59), '1'])('refuses the id %s, which it never gave', async (id) => {
      const { status, body } = await world.app.request('/v1/events', { headers: { 'last-event-id': id } });
      expect([status, body.error.reason]).toEqual([400, 'invalid_cursor']);
      expect((await world.anonymous.get(`/v1/events?after=${id}`)).status).toBe(400);
    });

    it('ends when its token does, and tells nothing more', async () => {
      const jti = 'f'.repeat(24);
      const token = await world.authority.token({ username: 'tester', claims: { jti } });
      // Tokens are judged by the clock of the library.
      const own = await startLibrary({ limits: { eventPoll: 50 } });
      try {
        const mine = await own.authority.token({ username: 'tester', claims: { jti } });
        expect(token).not.toBe(mine);
        const listener = await listen(own.client(mine), { to: own });
        own.authority.revoke(jti);
        await own.authority.verifier?.refreshAfterChange();
        expect(await listener.ended()).toBe(true);
        expect((await own.client(mine).get('/v1/events')).status).toBe(401);
      } finally {
        await own.stop();
      }
    });

    it('ends when its token expires', async () => {
      const exp = Math.floor(clock.now().getTime() / 1000) + 60;
      const token = await world.authority.token({ username: 'tester', claims: { exp } });
      const listener = await listen(world.client(token));
      clock.advance(61_000);
      expect(await listener.ended()).toBe(true);
    });

    it('says nothing more of what a role was lost for, and ends where all of it is gone', async () => {
      const claims = { exp: Math.floor(clock.now().getTime() / 1000) + 100 * 3600 };
      const roles = { guild: 'owner' } as const;
      const keeper = world.client(
        await world.authority.token({ username: 'keeper', organisations: roles, claims }),
      );
      await keeper.entity('guild', { defaultPrivate: true });
      const token = await world.authority.token({
        username: 'guest',
        organisations: { guild: 'reader' },
        claims,
      });
      const guest = await listen(world.client(token));
      const ofGuild = await listen(world.client(token), { entity: 'guild' });
      const place = newPlace('guild');
      await keeper.place(place);
      await guest.upTo(place);
      await world.authority.token({ username: 'guest', organisations: {}, claims });
      await keeper.push(place, await testImage());
      expect(kindsOf(await guest.upTo(await sentinel()), place)).toEqual([]);
      expect(await ofGuild.ended()).toBe(true);
      expect(kindsOf(ofGuild.seen, place)).not.toContain('image.push');
    });

    it('of an entity ends with it', async () => {
      await world.admin.entity('brief');
      const listener = await listen(world.anonymous, { entity: 'brief' });
      await remove('entities/brief', world.admin);
      expect(await listener.ended()).toBe(true);
    });
  });

  it('reach everybody once while many push, and through other processes', async () => {
    // Of the stand-in, which knows no transactions, two processes could give one event two numbers.
    const others =
      name === 'MongoDB' && process.env['SCS_TEST_MONGO_URL'] !== undefined
        ? [await startLibrary({ open: shared, authority: world.authority, clock })]
        : [];
    const [CLIENTS, EACH] = name === 'MongoDB' ? [4, 2] : [8, 6];
    try {
      const worlds = [world, ...others];
      const listening = await Promise.all(worlds.map((to) => listen(world.tester, { to, entity: 'tester' })));
      const places = Array.from({ length: CLIENTS }, () => newPlace());
      await Promise.all(
        places.map(async (place, index) => {
          const to = worlds[index % worlds.length] ?? world;
          const client = to.client(world.tester.token);
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
      const feed = world.app.get(EventFeed);
      const { head = 0, first = 1 } = (await feed.feed())?.value ?? {};
      const numbers: number[] = [];
      for (let after = first - 1; after < head;) {
        const { items } = await feed.page({ index: 'bySequence', equal: [] }, { after, head, limit: 500 });
        numbers.push(...items.map(({ value }) => value.sequence));
        after = numbers.at(-1) ?? head;
      }
      expect(numbers).toEqual(Array.from({ length: head - first + 1 }, (_, index) => first + index));
    } finally {
      for (const listener of listeners.splice(0)) listener.stream.close();
      for (const other of others) await other.stop();
    }
  });

  it('a stream begins anew where what it wants to know is forgotten', async () => {
    const listener = await listen(world.anonymous);
    const place = await sentinel();
    await listener.upTo(place);
    const old = listener.id;
    clock.advance(LIMITS.eventsKept + 1000);
    const late = new Listener(await openEvents(world.app, '/v1/events', { 'last-event-id': old }));
    listeners.push(late);
    await late.next();
    expect(await late.next()).toMatchObject({ event: 'reset', data: '{}' });
    // The tokens of before have expired.
    const exp = Math.floor(clock.now().getTime() / 1000) + 3600;
    const other = world.client(await world.authority.token({ username: 'other', claims: { exp } }));
    const next = await sentinel(other);
    await late.upTo(next);
    await world.app.get(Sequencer).sweep();
    // What everybody listens to now is still there, and nothing of before.
    const feed = (await world.app.get(EventFeed).feed())?.value;
    const { items } = await world.app
      .get(EventFeed)
      .page({ index: 'bySequence', equal: [] }, { after: 0, head: feed?.head ?? 0, limit: 1000 });
    expect(items.length).toBeGreaterThan(0);
    expect(items[0]?.value.sequence).toBe(feed?.first);
    expect(items.every(({ value }) => value.time >= clock.now().toISOString())).toBe(true);
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

  it('are told to members of many entities as to all others, though they are read in another way', async () => {
    const world = await startLibrary({ limits: { eventSources: 1 } });
    try {
      await world.other.entity('other');
      const open = async (more: Record<string, string> = {}): Promise<Listener> => {
        const authorization = `Bearer ${world.other.token}`;
        const listener = new Listener(await openEvents(world.app, '/v1/events', { authorization, ...more }));
        await listener.next();
        return listener;
      };
      const first = await open();
      const { id: beginning } = first;
      const [place, kept] = ['tester/opened/app', 'tester/kept/app'];
      for (const one of [place, kept]) {
        await world.tester.place(one);
        await world.tester.send('PATCH', `/v1/manage/containers/${one}`, { private: true });
        await world.tester.push(one, await testImage(), { tags: ['secret'] });
      }
      await world.tester.send('PATCH', `/v1/manage/containers/${place}`, { private: false });
      await first.upTo(place, 'container.change');
      first.stream.close();
      // As it is now that all has happened.
      await world.tester.push(place, await testImage(), { tags: ['known'] });
      const listener = await open({ 'last-event-id': beginning });
      const told = await listener.upTo(place, 'tag.set');
      expect(told.at(-1)?.tag).toBe('known');
      expect(told.some(({ tag }) => tag === 'secret')).toBe(false);
      expect(told.filter((event) => event.place === kept).map(({ kind }) => kind)).not.toContain(
        'image.push',
      );
      listener.stream.close();
    } finally {
      await world.stop();
    }
  });

  it('are told to so many at once, in all and of one account, and not to more', async () => {
    const world = await startLibrary({ limits: { eventStreams: 3, eventStreamsPerClient: 2 } });
    const streams: EventStream[] = [];
    const ask = async (client: StockClient): Promise<number> => {
      const headers = client.token === undefined ? undefined : { authorization: `Bearer ${client.token}` };
      const stream = await openEvents(world.app, '/v1/events', headers);
      streams.push(stream);
      return stream.status;
    };
    try {
      expect([await ask(world.tester), await ask(world.tester), await ask(world.tester)]).toEqual([
        200, 200, 429,
      ]);
      expect([await ask(world.other), await ask(world.anonymous)]).toEqual([200, 429]);
    } finally {
      for (const stream of streams) stream.close();
      await world.stop();
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

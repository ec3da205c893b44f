import { describe, expect, it } from 'vitest';
import { type EventStream, openEvents } from '../../support/event-stream.js';
import { describeListened, kindsOf, Listener } from './event-scene.js';
import { hashOf, startLibrary, type StockClient, testImage } from './world.js';

describeListened('events of the library', (on) => {
  const { listen, newPlace, change, remove, sentinel, settled } = on;

  it('tell what is pushed, tagged, moved, untagged and removed, as it happens', async () => {
    const place = newPlace();
    const collection = place.split('/').slice(0, 2).join('/');
    await on.world.tester.entity('tester');
    await settled();
    const everybody = await listen(on.world.anonymous);
    const member = await listen(on.world.tester, { entity: 'tester' });
    const [one, two] = [await testImage(), await testImage()];
    const { container } = await on.world.tester.push(place, one, { tags: ['v1'] });
    const { id } = await on.world.tester.push(place, two, { tags: ['v1'] });
    await on.world.tester.tag(container, 'v2', id);
    await remove(`tags/${place}/v2?arch=amd64`);
    await on.world.tester.send('DELETE', `/v1/images/${place}:${hashOf(two)}?arch=amd64`);
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
        time: on.clock.now().toISOString(),
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
    await on.world.tester.place(place);
    await settled();
    const listener = await listen(on.world.tester, { entity: 'tester' });
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
      const container = await on.world.tester.place(place);
      await change(`containers/${place}`, { private: true });
      const after = await settled();
      const listening = await Promise.all(
        [on.world.anonymous, on.world.other].map((client) => listen(client, { after })),
      );
      const ofEntity = await listen(on.world.other, { entity: 'tester' });
      const member = await listen(on.world.tester);
      const { id } = await on.world.tester.push(place, await testImage(), { tags: ['v1'] });
      await on.world.tester.tag(container, 'v2', id);
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
      const [a, b] = [await listen(on.world.anonymous), await listen(on.world.anonymous)];
      expect(a.id).not.toBe(b.id);
    });

    it('do not say later what was private then, nor what has become private since', async () => {
      const [hidden, opened] = [newPlace(), newPlace()];
      const from = await settled();
      for (const place of [hidden, opened]) await on.world.tester.push(place, await testImage());
      await change(`containers/${opened}`, { private: true });
      await on.world.tester.push(opened, await testImage(), { tags: ['secret'] });
      await change(`containers/${opened}`, { private: false });
      await change(`containers/${hidden}`, { private: true });
      const end = await sentinel();
      const told = await (await listen(on.world.anonymous, { after: from })).upTo(end);
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
      const after = await (await listen(on.world.anonymous, { after: from })).upTo(last);
      expect(kindsOf(after, hidden)).toEqual([]);
      expect(kindsOf(after, opened)).toEqual(['container.delete']);
      const member = await (await listen(on.world.tester, { after: from })).upTo(last);
      expect(kindsOf(member, hidden)).toContain('container.delete');
    });

    it('an entity that is private is not there', async () => {
      await on.world.admin.entity('vault', { defaultPrivate: true });
      const [hidden, missing] = await Promise.all(
        ['vault', 'nobodys'].map((entity) => on.world.other.get(`/v1/events?entity=${entity}`)),
      );
      expect(hidden?.status).toBe(404);
      expect(JSON.stringify(hidden?.body).replaceAll('vault', 'nobodys')).toBe(JSON.stringify(missing?.body));
      expect((await on.world.other.send('HEAD', '/v1/events?entity=vault')).status).toBe(404);
      expect((await on.world.other.send('HEAD', '/v1/events?entity=tester')).status).toBe(200);
    });

    it('and to a token for one place say nothing of another one that is private', async () => {
      const [one, two] = [newPlace(), newPlace()];
      for (const place of [one, two]) {
        await on.world.tester.place(place);
        await change(`containers/${place}`, { private: true });
      }
      await settled();
      const narrow = on.world.client(
        await on.world.authority.token({
          username: 'tester',
          scopes: [`library:read:${one}`],
          claims: { exp: Math.floor(Date.now() / 1000) + 100 * 3600 },
        }),
      );
      const listener = await listen(narrow);
      for (const place of [one, two]) await on.world.tester.push(place, await testImage());
      const told = await listener.upTo(await sentinel());
      expect(kindsOf(told, one)).toEqual(['image.push', 'tag.set']);
      expect(kindsOf(told, two)).toEqual([]);
    });
  });

  describe('a stream', () => {
    it('ends when its token does, and tells nothing more', async () => {
      const jti = 'f'.repeat(24);
      const token = await on.world.authority.token({ username: 'tester', claims: { jti } });
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
      const exp = Math.floor(on.clock.now().getTime() / 1000) + 60;
      const token = await on.world.authority.token({ username: 'tester', claims: { exp } });
      const listener = await listen(on.world.client(token));
      on.clock.advance(61_000);
      expect(await listener.ended()).toBe(true);
    });

    it('says nothing more of what a role was lost for, and ends where all of it is gone', async () => {
      const claims = { exp: Math.floor(on.clock.now().getTime() / 1000) + 100 * 3600 };
      const roles = { guild: 'owner' } as const;
      const keeper = on.world.client(
        await on.world.authority.token({ username: 'keeper', organisations: roles, claims }),
      );
      await keeper.entity('guild', { defaultPrivate: true });
      const token = await on.world.authority.token({
        username: 'guest',
        organisations: { guild: 'reader' },
        claims,
      });
      const guest = await listen(on.world.client(token));
      const ofGuild = await listen(on.world.client(token), { entity: 'guild' });
      const place = newPlace('guild');
      await keeper.place(place);
      await guest.upTo(place);
      await on.world.authority.token({ username: 'guest', organisations: {}, claims });
      await keeper.push(place, await testImage());
      expect(kindsOf(await guest.upTo(await sentinel()), place)).toEqual([]);
      expect(await ofGuild.ended()).toBe(true);
      expect(kindsOf(ofGuild.seen, place)).not.toContain('image.push');
    });

    it('of an entity ends with it', async () => {
      await on.world.admin.entity('brief');
      const listener = await listen(on.world.anonymous, { entity: 'brief' });
      await remove('entities/brief', on.world.admin);
      expect(await listener.ended()).toBe(true);
    });
  });
});

describe('events', () => {
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
});

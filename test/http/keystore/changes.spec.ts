import { KeystoreModule } from '#apps/keystore/src/keystore.module';
import type { KeyChange } from '#libs/contract';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type StartedApp, startApp } from '../../support/app.js';
import { DATABASES, type TestDatabase } from '../../support/databases.js';
import { type EventStream, openEvents } from '../../support/event-stream.js';
import { addKey, newTestKey, type TestKey } from '../../support/pgp-keys.js';
import { TestAuthority } from '../../support/tokens.js';
import { unhurried } from './unhurried.js';

describe.each(DATABASES)('the feed of changes on $name', ({ name, open }) => {
  let database: TestDatabase;
  let authority: TestAuthority;
  let app: StartedApp;
  let token: string;
  const start = async (): Promise<StartedApp> =>
    unhurried(
      await startApp({
        modules: [KeystoreModule, authority.module()],
        env: { SCS_SERVICES: 'keystore', SCS_AUTH_URL: 'https://localhost:1', ...database.env },
      }),
    );
  beforeAll(async () => {
    database = await open();
    authority = await TestAuthority.make();
    app = await start();
    token = await authority.token({ username: 'ann' });
  });
  afterAll(async () => {
    await app.stop();
    await database.stop();
  });

  const add = async (armored: string, to = app): Promise<void> => {
    expect((await addKey(to, armored, token)).status).toBe(200);
  };
  const ask = async (
    query: string,
    from = app,
  ): Promise<{ changes: KeyChange[]; next: number; more: boolean }> => {
    const { status, body } = await from.request(`/v1/keys/changes?${query}`);
    expect(status).toBe(200);
    return body.data;
  };
  /** Where the feed ends now. */
  const end = async (): Promise<number> => {
    let { next, more } = await ask('');
    while (more) ({ next, more } = await ask(`after=${next}`));
    return next;
  };

  it('says of a certificate what it is now, with the number of its last change', async () => {
    const [ann, bob] = [await newTestKey('Ann'), await newTestKey('Bob')];
    const before = await end();
    await add(ann.armored);
    await add(bob.armored);
    expect((await ask(`after=${before}`)).changes).toEqual([
      { sequence: before + 1, fingerprint: ann.fingerprint, state: 'present', time: expect.any(String) },
      { sequence: before + 2, fingerprint: bob.fingerprint, state: 'present', time: expect.any(String) },
    ]);
    await add(await ann.revoked());
    // Nothing changes by what is there already.
    await add(ann.armored);
    await add(await ann.revoked());
    const { changes, next, more } = await ask(`after=${before}`);
    expect(changes.map(({ sequence, state }) => [sequence, state])).toEqual([
      [before + 2, 'present'],
      [before + 3, 'revoked'],
    ]);
    expect([next, more]).toEqual([before + 3, false]);
    expect(await ask(`after=${next}`)).toEqual({ changes: [], next, more: false });
  });

  it('gives pages, and begins anew for a number that was never given', async () => {
    const before = await end();
    const keys = await Promise.all(['P', 'Q', 'R'].map((one) => newTestKey(one)));
    for (const { armored } of keys) await add(armored);
    const first = await ask(`after=${before}&limit=2`);
    expect([first.changes.length, first.more]).toEqual([2, true]);
    const second = await ask(`after=${first.next}&limit=2`);
    expect([second.changes.length, second.more]).toEqual([1, false]);
    expect((await ask(`after=${second.next + 1000}`)).changes).toEqual((await ask('')).changes);
  });

  it('answers for some certificates alone, and says 304 while nothing became of them', async () => {
    const [mine, other] = [await newTestKey('Mine'), await newTestKey('Other')];
    await add(mine.armored);
    const query = `/v1/keys/changes?fingerprint=${mine.fingerprint.toUpperCase()},${'0'.repeat(64)}`;
    const first = await app.request(query);
    expect(first.body.data.changes).toMatchObject([{ fingerprint: mine.fingerprint, state: 'present' }]);
    const etag = String(first.headers['etag']);
    const again = (): Promise<number> =>
      app.request(query, { headers: { 'if-none-match': `"x", W/${etag}` } }).then(({ status }) => status);
    expect(await again()).toBe(304);
    await add(other.armored);
    expect(await again()).toBe(304);
    await add(await mine.revoked());
    expect(await again()).toBe(200);
    expect(
      (await ask(`fingerprint=${mine.fingerprint}&fingerprint=${other.fingerprint}`)).changes,
    ).toMatchObject([
      { fingerprint: other.fingerprint, state: 'present' },
      { fingerprint: mine.fingerprint, state: 'revoked' },
    ]);
    const { next } = await ask(`fingerprint=${mine.fingerprint}`);
    expect((await ask(`fingerprint=${mine.fingerprint}&after=${next}`)).changes).toEqual([]);
  });

  it.each([
    ['a number below 0', 'after=-1'],
    ['no number', 'after=x'],
    ['empty pages', 'limit=0'],
    ['long pages', 'limit=1001'],
    ['no fingerprint', 'fingerprint='],
    ['a short one', 'fingerprint=0x1234'],
    ['too many', `fingerprint=${Array.from({ length: 101 }, () => '0'.repeat(40)).join(',')}`],
  ])('refuses %s', async (_, query) => {
    expect((await app.request(`/v1/keys/changes?${query}`)).status).toBe(400);
  });

  it('is told to whom brings no token, and to nobody with a bad one', async () => {
    expect((await app.request('/v1/keys/changes')).headers['access-control-allow-origin']).toBe('*');
    expect((await app.request('/v1/keys/changes', { token: 'bad' })).status).toBe(401);
    expect((await app.request('/v1/keys/events', { method: 'HEAD' })).headers['content-type']).toContain(
      'text/event-stream',
    );
  });

  it('is read whole by everybody while many write, also through other processes', async () => {
    // A SQLite file has one process.
    const others = name === 'MongoDB' ? [await start()] : [];
    const apps = [app, ...others];
    // On the stand-in for MongoDB a lost race costs as much as a commit.
    const [WRITERS, EACH] = name === 'MongoDB' ? [4, 3] : [8, 10];
    try {
      const before = await end();
      const keys = await Promise.all(
        Array.from({ length: WRITERS * EACH }, (_, index) => newTestKey(`Writer${index}`)),
      );
      const writing = Array.from({ length: WRITERS }, async (_, writer) => {
        const to = apps[writer % apps.length];
        for (const { armored } of keys.slice(writer * EACH, (writer + 1) * EACH)) await add(armored, to);
      });
      const written = Promise.all(writing);
      let over = false;
      const ended = written.finally(() => (over = true));
      const readers = apps.flatMap((from) => [2, 500].map((limit) => read(from, limit)));
      await ended;
      for (const seen of await Promise.all(readers)) {
        expect(seen.map(({ fingerprint }) => fingerprint).toSorted()).toEqual(
          keys.map(({ fingerprint }) => fingerprint).toSorted(),
        );
        expect(seen.map(({ sequence }) => sequence)).toEqual(keys.map((_, index) => before + 1 + index));
      }

      async function read(from: StartedApp, limit: number): Promise<KeyChange[]> {
        const seen: KeyChange[] = [];
        let at = before;
        for (let last = false; ;) {
          const { changes, next, more } = await ask(`after=${at}&limit=${limit}`, from);
          seen.push(...changes);
          at = next;
          if (more) continue;
          if (last) return seen;
          last = over;
        }
      }
    } finally {
      for (const other of others) await other.stop();
    }
  });

  describe('as a stream', () => {
    const changeIn = async (stream: EventStream): Promise<KeyChange | undefined> => {
      for (;;) {
        const event = await stream.next();
        if (event === undefined) return undefined;
        if (event.event === 'change') {
          const change = JSON.parse(event.data ?? '') as KeyChange;
          expect(event.id).toBe(String(change.sequence));
          return change;
        }
      }
    };
    /** Reads until a key comes; the sequence numbers of all that came. */
    const upTo = async (stream: EventStream, { fingerprint }: TestKey): Promise<number[]> => {
      const numbers: number[] = [];
      for (;;) {
        const change = await changeIn(stream);
        if (change === undefined) throw new Error('the stream has ended');
        numbers.push(change.sequence);
        if (change.fingerprint === fingerprint) return numbers;
      }
    };

    it('tells what changes from now on, and goes on where the connection broke', async () => {
      const [one, two, three] = await Promise.all(['One', 'Two', 'Three'].map((each) => newTestKey(each)));
      if (one === undefined || two === undefined || three === undefined) throw new Error('no keys');
      const before = await end();
      const stream = await openEvents(app, '/v1/keys/events');
      expect(await stream.next()).toMatchObject({ id: String(before), data: undefined });
      await add(one.armored);
      expect(await changeIn(stream)).toMatchObject({ sequence: before + 1, fingerprint: one.fingerprint });
      stream.close();
      await add(two.armored);
      const again = await openEvents(app, '/v1/keys/events', { 'last-event-id': String(before + 1) });
      expect(await changeIn(again)).toMatchObject({ sequence: before + 2, fingerprint: two.fingerprint });
      await add(three.armored);
      expect(await upTo(again, three)).toEqual([before + 3]);
      again.close();
      const anew = await openEvents(app, `/v1/keys/events?after=${before}`);
      expect(await upTo(anew, three)).toEqual([before + 1, before + 2, before + 3]);
      anew.close();
    });

    it('of a process tells what another one changed', async () => {
      if (name === 'SQLite') return;
      const other = await start();
      try {
        const stream = await openEvents(other, '/v1/keys/events');
        await stream.next();
        const key = await newTestKey('Elsewhere');
        await add(key.armored);
        expect(await changeIn(stream)).toMatchObject({ fingerprint: key.fingerprint });
        stream.close();
      } finally {
        await other.stop();
      }
    });

    it('reaches all who listen while many write, without a gap', async () => {
      const before = await end();
      const keys = await Promise.all(Array.from({ length: 20 }, (_, index) => newTestKey(`Live${index}`)));
      const streams = await Promise.all(
        Array.from({ length: 5 }, () => openEvents(app, `/v1/keys/events?after=${before}`)),
      );
      const [last] = keys.splice(-1);
      if (last === undefined) throw new Error('no key');
      const reading = streams.map((stream) => upTo(stream, last));
      await Promise.all(keys.map(({ armored }) => add(armored)));
      await add(last.armored);
      for (const numbers of await Promise.all(reading))
        expect(numbers).toEqual(Array.from({ length: 20 }, (_, index) => before + 1 + index));
      for (const stream of streams) stream.close();
    });

    it('is refused where the number is none, or too many listen', async () => {
      const bad = await openEvents(app, '/v1/keys/events', { 'last-event-id': 'x' });
      expect(bad.status).toBe(400);
      bad.close();
      const streams: EventStream[] = [];
      let status = 200;
      while (status === 200 && streams.length <= 60) {
        const stream = await openEvents(app, '/v1/keys/events');
        ({ status } = stream);
        streams.push(stream);
      }
      expect([status, streams.length]).toEqual([429, 51]);
      for (const stream of streams) stream.close();
    });

    it('ends when the server does', async () => {
      if (name === 'MongoDB') return;
      const own = await startApp({
        modules: [KeystoreModule, authority.module()],
        env: { SCS_SERVICES: 'keystore', SCS_AUTH_URL: 'https://localhost:1' },
      });
      const stream = await openEvents(own, '/v1/keys/events');
      await stream.next();
      const begin = performance.now();
      await own.stop();
      expect(await stream.next()).toBeUndefined();
      expect(performance.now() - begin).toBeLessThan(10_000);
      stream.close();
    });
  });
});

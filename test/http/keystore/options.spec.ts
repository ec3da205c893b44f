import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as openpgp from 'openpgp';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { KeystoreModule } from '#apps/keystore/src/keystore.module';
import { waitForEntries } from '../../support/audit.js';
import { type AppAnswer, startApp } from '../../support/app.js';
import { mongoDatabase } from '../../support/databases.js';
import { type CaseKey, hkpWorld, type HkpWorld, newKey, withUserIds } from './hkp-world.js';

/* What an operator may choose, and how often may be asked (keystore contract §1.2, §4.1; cases 109 to 111). */

let ann: CaseKey;
beforeAll(async () => {
  ann = await newKey({ userIds: [{ name: 'Ann', email: 'ann@example.org' }] });
});
const NOBODY = { authorization: '' };
const get = (world: HkpWorld, key: CaseKey): Promise<AppAnswer> =>
  world.lookup(`op=get&search=0x${key.fingerprint}`);
const flag = async (world: HkpWorld, key: CaseKey): Promise<string | undefined> =>
  ((await world.lookup(`op=index&options=mr&search=0x${key.fingerprint}`)).body as string)
    .split('\n')[1]
    ?.split(':')[6];

async function during(
  env: Readonly<Record<string, string>>,
  work: (world: HkpWorld) => Promise<void>,
): Promise<void> {
  const world = await hkpWorld(env);
  try {
    await work(world);
  } finally {
    await world.stop();
  }
}

describe('a keystore that takes', () => {
  it('nothing without a token tells gpg so', () =>
    during({}, async (world) => {
      await world.add(ann.armored);
      for (const key of [ann.armored, await ann.revoked()])
        expect((await world.add(key, NOBODY)).status).toBe(401);
      expect(await flag(world, ann)).toBe('');
    }));

  it('updates without a token takes what a key itself has signed, of keys that are stored', () =>
    during({ SCS_KEYSTORE_ANONYMOUS: 'updates' }, async (world) => {
      expect((await world.add(ann.armored, NOBODY)).status).toBe(401);
      expect((await get(world, ann)).status).toBe(404);
      await world.add(ann.armored);
      const more = await withUserIds(ann, ['Ann at home <ann@home.example>']);
      const answer = await world.add(more, NOBODY);
      expect([answer.status, answer.body]).toEqual([200, `${ann.fingerprint.toUpperCase()} updated\n`]);
      expect((await world.lookup('op=get&search=ann@home.example')).status).toBe(200);
      expect((await world.add(await ann.revoked(), NOBODY)).status).toBe(200);
      expect(await flag(world, ann)).toBe('r');
      // A token that is not good is not the same as none.
      expect((await world.add(ann.armored, { authorization: 'Bearer nonsense' })).status).toBe(401);
      const read = await world.authority.token({ username: 'bob', scopes: ['library:read'] });
      expect((await world.add(ann.armored, { authorization: `Bearer ${read}` })).status).toBe(403);
    }));

  it('revocations without a token takes nothing else, and says in the trail from where', () =>
    during({ SCS_KEYSTORE_ANONYMOUS: 'revocations' }, async (world) => {
      const revoked = await ann.revoked();
      expect((await world.add(revoked, NOBODY)).status).toBe(401);
      await world.add(ann.armored);
      expect((await world.add(await withUserIds(ann, ['Other']), NOBODY)).status).toBe(401);
      const both = await openpgp.readKey({ armoredKey: revoked });
      const added = await openpgp.readKey({ armoredKey: await withUserIds(ann, ['Smuggled']) });
      both.users.push(...added.users);
      expect((await world.add(both.armor(), NOBODY)).status).toBe(200);
      expect(await flag(world, ann)).toBe('r');
      expect((await world.lookup('op=get&search=smuggled')).status).toBe(404);
      const admin = await world.authority.token({ username: 'admin', administrator: true });
      const [entry] = await waitForEntries(world.app, admin, 'action=key.change', 1);
      expect(entry).toMatchObject({ actor: null, address: '127.0.0.1' });
    }));

  it('everything from a network of ours, and from nobody who only says so', () =>
    during({ SCS_KEYSTORE_NETWORKS: '192.0.2.0/24', SCS_TRUSTED_PROXIES: '127.0.0.1' }, async (world) => {
      for (const [from, status] of [
        ['203.0.113.9', 401],
        ['192.0.2.7, 203.0.113.9', 401],
        ['203.0.113.9, 192.0.2.7', 200],
      ] as const)
        expect((await world.add(ann.armored, { ...NOBODY, 'x-forwarded-for': from })).status).toBe(status);
    }));

  it('nothing from a network that only the client names', () =>
    during({ SCS_KEYSTORE_NETWORKS: '192.0.2.0/24' }, async (world) => {
      expect((await world.add(ann.armored, { ...NOBODY, 'x-forwarded-for': '192.0.2.7' })).status).toBe(401);
    }));
});

it('private reads: a token is asked for before anything is looked up, everywhere', () =>
  during({ SCS_KEYSTORE_READS: 'token', SCS_WKD_DOMAINS: 'example.org' }, async (world) => {
    await world.add(ann.armored);
    const paths = [
      `/pks/lookup?op=get&search=0x${ann.fingerprint}`,
      `/pks/lookup?op=get&search=0x${'1'.repeat(40)}`,
      '/pks/lookup?op=index&search=ann',
      '/pks/lookup?nonsense',
      `/pks/v2/certs/by-vfingerprint/04${ann.fingerprint}`,
      '/pks/v2/certs/by-identity/ann%40example.org',
      `/pks/v2/certs/by-keyid/${ann.keyId}`,
      '/pks/v2/index/ann%40example.org',
      `/.well-known/openpgpkey/example.org/hu/${'y'.repeat(32)}`,
      '/v1/keys/changes',
      `/v1/keys/${ann.fingerprint}`,
      '/v1/keyrings/nobody.asc',
    ];
    // As a worker has it, who looks for the signers of a base.
    const job = { job: 'a'.repeat(24), container: 'ann/a/b' };
    const ofJob = await world.authority.token({
      username: 'ann',
      scopes: ['build'],
      claims: { aud: 'keystore', act: { sub: 'builder' }, origin: 'b'.repeat(24), subject: job },
    });
    const basic = (password: string): string => `Basic ${Buffer.from(`ann:${password}`).toString('base64')}`;
    for (const path of paths) {
      for (const authorization of ['', 'Bearer', 'Bearer nonsense', basic('secret')]) {
        const { status, headers } = await world.app.request(path, { headers: { authorization } });
        expect([path, authorization, status]).toEqual([path, authorization, 401]);
        expect(headers['www-authenticate']).toContain('Bearer');
      }
      for (const authorization of [`BEARER ${world.token}`, basic(world.token), `Bearer ${ofJob}`])
        expect((await world.app.request(path, { headers: { authorization } })).status).not.toBe(401);
    }
    const page = await world.lookup('op=index&search=ann', { accept: 'text/html' });
    expect([page.status, page.headers['content-type']]).toEqual([401, 'text/html; charset=utf-8']);
    expect((await world.app.request('/pks/stats')).body).toMatchObject({ reads: 'token' });
  }));

describe('who asks too often', () => {
  it('109: is refused with searches, with the seconds to wait', () =>
    during({ SCS_KEYSTORE_SEARCHES: '10' }, async (world) => {
      await world.add(ann.armored);
      // All in one moment: a busy machine takes seconds for them, in which ten more may come each.
      const clock = vi.spyOn(performance, 'now').mockReturnValue(performance.now());
      const answers = await Promise.all(
        Array.from({ length: 50 }, () => world.lookup('op=index&options=mr&search=ann')),
      ).finally(() => clock.mockRestore());
      const refused = answers.filter(({ status }) => status === 429);
      expect(answers.filter(({ status }) => status === 200)).toHaveLength(20);
      expect(refused).toHaveLength(30);
      expect(refused[0]?.headers['retry-after']).toBe('1');
      // Fingerprints are no searches.
      expect((await get(world, ann)).status).toBe(200);
    }));

  it('109: waits for keys, and is never refused', () =>
    during({ SCS_KEYSTORE_GETS: '20' }, async (world) => {
      await world.add(ann.armored);
      const begin = performance.now();
      const answers = await Promise.all(Array.from({ length: 130 }, () => get(world, ann)));
      expect(answers.every(({ status }) => status === 200)).toBe(true);
      // A hundred at once, thirty more at twenty a second.
      expect(performance.now() - begin).toBeGreaterThan(1000);
    }));

  it('109: is counted by the address behind a proxy that was named', () =>
    during({ SCS_KEYSTORE_SEARCHES: '1', SCS_TRUSTED_PROXIES: '127.0.0.1' }, async (world) => {
      const search = (from: string): Promise<AppAnswer> =>
        world.lookup('op=index&search=ann', { 'x-forwarded-for': from });
      const statuses = async (from: (one: number) => string): Promise<number[]> =>
        (await Promise.all(Array.from({ length: 10 }, (_, one) => search(from(one))))).map(
          ({ status }) => status,
        );
      expect(await statuses(() => '192.0.2.1')).toContain(429);
      // Others have their own; all of an IPv6 network have one together.
      expect((await search('192.0.2.2')).status).toBe(404);
      expect((await search('2001:db8::1')).status).toBe(404);
      expect(await statuses((one) => `2001:db8::${one + 1}`)).toContain(429);
    }));

  it('is refused with uploads: each account has its own, and so has an address without one', () =>
    during({ SCS_KEYSTORE_ADDS: '2', SCS_KEYSTORE_ANONYMOUS: 'updates' }, async (world) => {
      const bob = `Bearer ${await world.authority.token({ username: 'bob' })}`;
      for (const headers of [{}, { authorization: bob }, NOBODY]) {
        const statuses = [];
        for (let n = 0; n < 3; n += 1) statuses.push(await world.add(ann.armored, headers));
        expect(statuses.map(({ status }) => status)).toEqual([200, 200, 429]);
        expect(Number(statuses[2]?.headers['retry-after'])).toBeGreaterThan(1700);
      }
    }));
});

it('a page token is good after a restart', async () => {
  const home = mkdtempSync(join(tmpdir(), 'scs-test-'));
  try {
    const before = await hkpWorld({}, home);
    for (let n = 0; n < 2; n += 1)
      await before.add((await newKey({ userIds: [{ name: `Again Number${n}` }] })).armored);
    const first = await before.lookup('op=index&options=mr&search=again&x-pagesize=1');
    await before.stop();
    const after = await hkpWorld({}, home, before.authority);
    const token = String(first.headers['x-hkp-next-page-token']);
    const second = await after.lookup(`op=index&options=mr&search=again&x-pagesize=1&x-pagetoken=${token}`);
    expect([second.status, second.headers['x-hkp-next-page-token']]).toEqual([200, undefined]);
    expect(second.body).not.toBe(first.body);
    await after.stop();
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
});

it('110: without its database the keystore says 500, soon, and that it is not ready', async () => {
  const database = await mongoDatabase();
  const world = await hkpWorld(database.env);
  try {
    await world.add(ann.armored);
    await database.stop();
    const begin = performance.now();
    const answers = await Promise.all([
      get(world, ann),
      world.lookup('op=index&search=ann'),
      world.lookup('op=get&search=ann@example.org'),
      world.app.request(`/pks/v2/certs/by-keyid/${ann.keyId}`),
      world.add(ann.armored),
    ]);
    expect(performance.now() - begin).toBeLessThan(5000);
    expect(answers.map(({ status, body }) => [status, body.error?.code])).toEqual(
      answers.map(() => [500, 500]),
    );
    expect((await world.app.request('/readyz')).status).toBe(503);
  } finally {
    await world.stop();
  }
}, 60_000);

it.each([
  ['without TLS', 'mongodb://scs:pw@127.0.0.1:1/scs'],
  ['without a password', 'mongodb://127.0.0.1:1/scs?tls=true'],
  ['without looking at the certificate', 'mongodb://scs:pw@127.0.0.1:1/scs?tls=true&tlsInsecure=true'],
])('111: does not start with a database %s', async (_, url) => {
  const start = startApp({
    modules: [KeystoreModule],
    env: { SCS_SERVICES: 'keystore', SCS_AUTH_URL: 'https://localhost:1', SCS_DATABASE_URL: url },
  });
  await expect(start).rejects.toThrow(/SCS_DATABASE_URL/);
});

describe('the pages', () => {
  let world: HkpWorld;
  beforeAll(async () => {
    world = await hkpWorld();
    for (let n = 0; n < 52; n += 1)
      await world.add((await newKey({ userIds: [{ name: `Listed Name ${n}` }] })).armored);
  });
  afterAll(() => world.stop());

  it('lead on as long as there is more', async () => {
    const html = { accept: 'text/html' };
    const first = await world.lookup('op=index&search=listed+name', html);
    expect((first.body as string).match(/<section/g)).toHaveLength(50);
    const [, href = ''] = /<a href="([^"]+)" rel="next">/.exec(first.body as string) ?? [];
    const second = await world.app.request(href.replaceAll('&amp;', '&'), { headers: html });
    expect((second.body as string).match(/<section/g)).toHaveLength(2);
    expect(second.body).not.toContain('rel="next"');
  });
});

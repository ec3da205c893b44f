import { join } from 'node:path';
import { DATABASE, type Database } from '#apps/keystore/src/database.store';
import { KeystoreModule } from '#apps/keystore/src/keystore.module';
import { NoticesStore } from '#apps/keystore/src/notices.store';
import { Trail } from '#libs/audit';
import type { AuditEntry, KeyNotice } from '#libs/contract';
import { ManualClock } from '#libs/core';
import * as openpgp from 'openpgp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type AppAnswer, type StartedApp, startApp } from '../../support/app.js';
import { waitForEntries } from '../../support/audit.js';
import { mongoDatabase, sqliteDatabase, type TestDatabase } from '../../support/databases.js';
import { addKey, clearSigned, newTestKey, type TestKey } from '../../support/pgp-keys.js';
import { temporaryFolder } from '../../support/temporary.js';
import { TestAuthority } from '../../support/tokens.js';

const DAY = 86_400;

describe.each([
  { name: 'SQLite', open: sqliteDatabase, processes: 1, many: 40 },
  // A SQLite file has one process. The stand-in for MongoDB takes twenty times as long.
  { name: 'MongoDB', open: mongoDatabase, processes: 2, many: 12 },
])('notices of keys that end, on $name', ({ open, processes, many }) => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let database: TestDatabase;
  let authority: TestAuthority;
  let apps: StartedApp[];
  let app: StartedApp;
  let admin: string;
  const start = (index: number): Promise<StartedApp> =>
    startApp({
      modules: [KeystoreModule, authority.module()],
      env: { SCS_SERVICES: 'keystore', SCS_AUTH_URL: 'https://localhost:1', ...database.env },
      home: join(folder.path, String(index)),
    });
  beforeAll(async () => {
    folder = await temporaryFolder();
    database = await open();
    authority = await TestAuthority.make();
    app = await start(0);
    apps = [app];
    while (apps.length < processes) apps.push(await start(apps.length));
    admin = await authority.token({ username: 'root', administrator: true });
  });
  afterAll(async () => {
    for (const one of apps) await one.stop();
    await database.stop();
    await folder.remove();
  });

  /** The notices of a process in which it is so many days later. */
  const after = (days: number, at = app): NoticesStore => {
    const documents = at.get<Database>(DATABASE);
    const clock = new ManualClock(new Date(Date.now() + days * DAY * 1000));
    return new NoticesStore(documents, new Trail({ documents, service: 'keystore', clock }), clock);
  };
  const call = (method: string, path: string, token?: string): Promise<AppAnswer> =>
    app.request(path, { method, ...(token !== undefined && { token }) });
  const list = async (token: string): Promise<KeyNotice[]> => {
    const { status, body } = await call('GET', '/v1/keys/notices', token);
    expect(status).toBe(200);
    return body.data as KeyNotice[];
  };
  const about = async (token: string, { fingerprint }: TestKey): Promise<KeyNotice | undefined> =>
    (await list(token)).find((one) => one.fingerprint === fingerprint);
  const acknowledge = (token: string, { fingerprint }: Pick<TestKey, 'fingerprint'>): Promise<AppAnswer> =>
    call('PUT', `/v1/keys/notices/${fingerprint}`, token);
  const claim = async (key: TestKey, token: string): Promise<void> => {
    const { body } = await call('POST', `/v1/keys/${key.fingerprint}/challenge`, token);
    const json = { signed: await clearSigned(key, body.data.text as string) };
    expect((await app.request(`/v1/keys/${key.fingerprint}/claim`, { token, json })).status).toBe(200);
  };
  const person = (username: string): Promise<string> => authority.token({ username });
  const entriesOf = (key: TestKey, count: number): Promise<readonly AuditEntry[]> =>
    waitForEntries(app, admin, `action=key.notice&subject=${key.fingerprint}`, count);

  it('come at 30, 7 and 0 days, once each, with an entry of the trail that a mailer can read', async () => {
    const ann = await person('ann');
    const key = await newTestKey('Ann', { expiresIn: 40 * DAY });
    await addKey(app, key.armored, ann);
    const told: (number | undefined)[] = [];
    for (const days of [0, 9, 11, 12, 32, 34, 39, 41, 50, 69, 71]) {
      await after(days).tell();
      told.push((await about(ann, key))?.days);
    }
    expect(told).toEqual([undefined, undefined, 30, 30, 30, 7, 7, 0, 0, 0, 0]);
    const { body } = await call('GET', `/v1/keys/${key.fingerprint}`, ann);
    const expiresAt = body.data.expiresAt as string;
    expect(await about(ann, key)).toEqual({
      fingerprint: key.fingerprint,
      userIds: ['Ann <ann@example.org>'],
      expiresAt,
      days: 0,
      since: expect.any(String),
      acknowledged: false,
    });
    const entries = await entriesOf(key, 3);
    expect(entries.map(({ after: told_ }) => told_)).toEqual(
      [0, 7, 30].map((days) => ({ username: 'ann', expiresAt, days })),
    );
    for (const entry of entries) expect(entry).toMatchObject({ actor: null, outcome: 'done' });
  });

  it('tell the last day alone where others were missed, and nothing of what ended long ago', async () => {
    const cleo = await person('cleo');
    const [soon, over] = [
      await newTestKey('Soon', { expiresIn: 3 * DAY }),
      await newTestKey('Over', { expiresIn: 2 * DAY }),
    ];
    await addKey(app, soon.armored, cleo);
    await after(0).tell();
    await entriesOf(soon, 1);
    expect(await about(cleo, soon)).toMatchObject({ days: 7 });
    await addKey(app, over.armored, cleo);
    await after(33).tell();
    expect(await about(cleo, over)).toBeUndefined();
    await after(31).tell();
    expect(await about(cleo, over)).toMatchObject({ days: 0 });
  });

  it('go to whom brought the key until somebody has proved to own it, and then to nobody else', async () => {
    const [dora, emil] = [await person('dora'), await person('emil')];
    const key = await newTestKey('Emil', { expiresIn: 20 * DAY });
    await addKey(app, key.armored, dora);
    await after(0).tell();
    expect(await about(dora, key)).toMatchObject({ days: 30 });
    expect(await about(emil, key)).toBeUndefined();
    await claim(key, emil);
    expect(await about(dora, key)).toBeUndefined();
    expect((await acknowledge(dora, key)).status).toBe(404);
    await after(0).tell();
    expect(await about(emil, key)).toMatchObject({ days: 30 });
    await after(14).tell();
    const entries = await entriesOf(key, 3);
    expect(entries.map(({ after: told }) => told?.username)).toEqual(['emil', 'emil', 'dora']);
  });

  it('are acknowledged by the account alone, until the next day is reached', async () => {
    const [fay, gus] = [await person('fay'), await person('gus')];
    const key = await newTestKey('Fay', { expiresIn: 20 * DAY });
    await addKey(app, key.armored, fay);
    await after(0).tell();
    const missing = await acknowledge(gus, { fingerprint: 'a'.repeat(40) });
    expect([missing.status, missing.body.error.reason]).toEqual([404, 'notice_not_found']);
    for (const token of [gus, admin]) expect((await acknowledge(token, key)).body).toEqual(missing.body);
    expect((await call('PUT', `/v1/keys/notices/${key.fingerprint}`)).status).toBe(401);
    expect((await call('GET', '/v1/keys/notices')).status).toBe(401);
    expect((await call('PUT', '/v1/keys/notices/nonsense', fay)).status).toBe(400);
    const reader = await authority.token({ username: 'fay', scopes: ['library:read'] });
    expect((await acknowledge(reader, key)).status).toBe(403);
    expect(await about(fay, key)).toMatchObject({ acknowledged: false });
    const { status, body } = await acknowledge(fay, { fingerprint: key.fingerprint.toUpperCase() });
    expect([status, body.data.acknowledged]).toEqual([200, true]);
    expect((await acknowledge(fay, key)).status).toBe(200);
    expect(await about(fay, key)).toMatchObject({ days: 30, acknowledged: true });
    await after(0).tell();
    expect(await about(fay, key)).toMatchObject({ days: 30, acknowledged: true });
    await after(14).tell();
    expect(await about(fay, key)).toMatchObject({ days: 7, acknowledged: false });
  });

  it('hold no longer when the key got a later end, was revoked or removed', async () => {
    const hal = await person('hal');
    const [longer, revoked, removed] = [
      await newTestKey('Longer', { expiresIn: 20 * DAY }),
      await newTestKey('Revoked', { expiresIn: 20 * DAY }),
      await newTestKey('Removed', { expiresIn: 20 * DAY }),
    ];
    for (const { armored } of [longer, revoked, removed]) await addKey(app, armored, hal);
    await after(0).tell();
    expect(await list(hal)).toHaveLength(3);
    await addKey(app, await withEnd(longer, 100 * DAY), hal);
    await addKey(app, await revoked.revoked(), hal);
    await call('DELETE', `/v1/keys/${removed.fingerprint}`, hal);
    expect(await list(hal)).toEqual([]);
    expect((await acknowledge(hal, longer)).status).toBe(404);
    await after(19).tell();
    expect(await list(hal)).toEqual([]);
    // The new end has notices of its own.
    await after(75).tell();
    expect(await about(hal, longer)).toMatchObject({ days: 30, acknowledged: false });
    await entriesOf(longer, 2);
    await entriesOf(revoked, 1);
    await entriesOf(removed, 1);
  });

  it('come once, however many processes look at the same time and again', async () => {
    const ida = await person('ida');
    const keys = await Promise.all(
      Array.from({ length: many }, (_, index) => newTestKey(`Ida${index}`, { expiresIn: 25 * DAY })),
    );
    for (const { armored } of keys) await addKey(app, armored, ida);
    const lookers = [...apps, ...apps, app].map((at) => after(0, at));
    const told = await Promise.all(lookers.map((looker) => looker.tell()));
    expect(told.reduce((sum, count) => sum + count, 0)).toBe(many);
    expect(await after(0).tell()).toBe(0);
    expect(await list(ida)).toHaveLength(many);
    for (const key of keys) await entriesOf(key, 1);
    const pages: string[] = [];
    let cursor = '';
    do {
      const { body } = await call('GET', `/v1/keys/notices?limit=5${cursor}`, ida);
      pages.push(...(body.data as KeyNotice[]).map(({ fingerprint }) => fingerprint));
      const next = body.page?.next as string | undefined;
      cursor = next === undefined ? '' : `&cursor=${encodeURIComponent(next)}`;
    } while (cursor !== '');
    expect(pages.toSorted()).toEqual(keys.map(({ fingerprint }) => fingerprint).toSorted());
  });

  it('stop where they are when they are told to, and go on the next time', async () => {
    const jim = await person('jim');
    const keys = await Promise.all(['One', 'Two'].map((one) => newTestKey(one, { expiresIn: 22 * DAY })));
    for (const { armored } of keys) await addKey(app, armored, jim);
    expect(await after(0).tell(AbortSignal.abort())).toBe(0);
    expect(await after(0).tell()).toBe(2);
  });

  it('are forgotten long after the end, and not told again', async () => {
    const kim = await person('kim');
    const key = await newTestKey('Kim', { expiresIn: 10 * DAY });
    await addKey(app, key.armored, kim);
    await after(0).tell();
    await after(99).sweep();
    expect(await about(kim, key)).toMatchObject({ days: 30 });
    expect(await after(101).sweep()).toBeGreaterThan(0);
    expect(await about(kim, key)).toBeUndefined();
    await after(101).tell();
    await entriesOf(key, 1);
  });

  it('come by themselves at a start', async () => {
    const lea = await person('lea');
    const key = await newTestKey('Lea', { expiresIn: 5 * DAY });
    await addKey(app, key.armored, lea);
    await app.stop();
    app = await start(0);
    apps[0] = app;
    await expect.poll(() => about(lea, key)).toMatchObject({ days: 7 });
  });
});

/** The certificate of a key with another end, in seconds from now: what `gpg --quick-set-expire` makes. */
async function withEnd({ secret }: TestKey, expiresIn: number): Promise<string> {
  const { publicKey } = await openpgp.reformatKey({
    privateKey: secret,
    userIDs: [{ name: 'Longer', email: 'longer@example.org' }],
    date: new Date(Date.now() - 10_000),
    keyExpirationTime: expiresIn + 60,
    format: 'armored',
  });
  return publicKey;
}

import { CERTIFICATES, CHANGES, HANDLES, HOLDINGS } from '#apps/keystore/src/collections.store';
import { DATABASE, type Database } from '#apps/keystore/src/database.store';
import { KeystoreModule } from '#apps/keystore/src/keystore.module';
import type { KeyImported, KeyProblem } from '#libs/contract';
import { readKeys } from '#libs/pgp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type AppAnswer, type StartedApp, startApp } from '../../support/app.js';
import { waitForEntries } from '../../support/audit.js';
import { mongoDatabase, sqliteDatabase, type TestDatabase } from '../../support/databases.js';
import { addKey, getKeys, newTestKey, type TestKey, withUserId } from '../../support/pgp-keys.js';
import { TestAuthority } from '../../support/tokens.js';

const binary = async (...armored: string[]): Promise<Buffer> =>
  Buffer.concat((await Promise.all(armored.map((one) => readKeys(one)))).flat().map(({ bytes }) => bytes));

describe.each([
  { name: 'SQLite', open: sqliteDatabase, many: 45 },
  // The stand-in for MongoDB takes twenty times as long.
  { name: 'MongoDB', open: mongoDatabase, many: 21 },
])('all keys at once, on $name', ({ name, open, many }) => {
  let database: TestDatabase;
  let authority: TestAuthority;
  let app: StartedApp;
  let admin: string;
  let ann: string;
  beforeAll(async () => {
    database = await open();
    authority = await TestAuthority.make();
    app = await startApp({
      modules: [KeystoreModule, authority.module()],
      env: { SCS_SERVICES: 'keystore', SCS_AUTH_URL: 'https://localhost:1', ...database.env },
    });
    admin = await authority.token({ username: 'root', administrator: true });
    ann = await authority.token({ username: 'ann' });
  });
  afterAll(async () => {
    await app.stop();
    await database.stop();
  });

  const send = (body: Uint8Array, token = admin): Promise<AppAnswer> =>
    app.request('/v1/keys/import', { method: 'POST', body, token });
  const importAll = async (...armored: string[]): Promise<KeyImported> => {
    const { status, body } = await send(await binary(...armored));
    expect(status).toBe(200);
    return body.data as KeyImported;
  };
  const found = async ({ fingerprint }: TestKey): Promise<number> =>
    (await getKeys(app, `0x${fingerprint}`)).length;

  describe('an import', () => {
    it('takes many certificates, merges them with what is there, and makes nobody a contributor', async () => {
      const keys = await Promise.all(Array.from({ length: many }, (_, index) => newTestKey(`Many${index}`)));
      const [first] = keys;
      if (first === undefined) throw new Error('no keys');
      await addKey(app, first.armored, ann);
      const more = await withUserId(first, { name: 'More' });
      expect(await importAll(more, ...keys.map(({ armored }) => armored))).toEqual({
        inserted: many - 1,
        updated: 1,
        unchanged: 1,
        refused: [],
      });
      for (const key of keys) expect(await found(key)).toBe(1);
      expect(await importAll(...keys.map(({ armored }) => armored))).toMatchObject({ unchanged: many });
      const { body } = await app.request(`/v1/keys/${keys[1]?.fingerprint}`, { token: admin });
      expect(body.data).toMatchObject({ contributors: 0, role: 'none' });
      const entries = await waitForEntries(app, admin, `subject=${keys[1]?.fingerprint}`, 1);
      expect(entries[0]).toMatchObject({ action: 'key.add', actor: { username: 'root' } });
    });

    it('says which certificates it refuses, and takes the others', async () => {
      const [good, foreign, blocked] = [
        await newTestKey('Good'),
        await newTestKey('Foreign'),
        await newTestKey('Blocked'),
      ];
      await app.request(`/v1/keys/blocked/${blocked.fingerprint}`, { method: 'PUT', token: admin });
      // A user id of somebody else: the key does not vouch for it.
      const [packets, others] = [await binary(foreign.armored), await binary(good.armored)];
      const forged = Buffer.concat([
        packets.subarray(0, lengthOf(packets)),
        others.subarray(lengthOf(others)),
      ]);
      const { body } = await send(Buffer.concat([forged, others, await binary(blocked.armored)]));
      expect(body.data).toEqual({
        inserted: 1,
        updated: 0,
        unchanged: 0,
        refused: [
          { index: 0, fingerprint: foreign.fingerprint, message: expect.stringContaining('no user id') },
          { index: 2, fingerprint: blocked.fingerprint, message: expect.stringContaining('is blocked') },
        ],
      });
      expect(await found(good)).toBe(1);
      expect(await found(blocked)).toBe(0);
    });

    it('is for administrators, and takes public keys only, as packets', async () => {
      const key = await newTestKey('Refused');
      expect((await send(await binary(key.armored), ann)).status).toBe(403);
      expect((await send(Buffer.from(key.armored))).status).toBe(422);
      expect((await send(Buffer.alloc(0))).body.data).toMatchObject({ inserted: 0, refused: [] });
      expect((await send((await binary(key.armored)).subarray(0, 100))).status).toBe(422);
      expect((await send(Buffer.alloc(4 * 1024 * 1024 + 1))).status).toBe(413);
      const secret = await binary(key.secret.armor());
      expect((await send(secret)).body.data.refused[0].message).toContain('secret key');
      expect(await found(key)).toBe(0);
    });
  });

  it('are exported page by page, without those that are not served', async () => {
    const keys = await Promise.all(['E1', 'E2', 'E3'].map((one) => newTestKey(one)));
    await importAll(...keys.map(({ armored }) => armored));
    const seen = new Map<string, string>();
    let cursor: string | undefined;
    do {
      const query = cursor === undefined ? '' : `&cursor=${encodeURIComponent(cursor)}`;
      const { status, body } = await app.request(`/v1/keys/export?limit=2${query}`, { token: admin });
      expect(status).toBe(200);
      for (const { fingerprint, armor } of body.data) seen.set(fingerprint, armor);
      cursor = body.page?.next;
    } while (cursor !== undefined);
    for (const { fingerprint, armored } of keys) {
      const [stored] = await getKeys(app, `0x${fingerprint}`);
      expect(seen.get(fingerprint)?.replaceAll(/\s/g, '')).toContain(
        stored
          ?.armor()
          .replaceAll(/-----.*-----|=....\s*(?=-)|\s/g, '')
          .slice(0, 40) ?? armored,
      );
    }
    expect((await app.request('/v1/keys/export', { token: ann })).status).toBe(403);
  });

  describe('a check', () => {
    const check = async (repair = false): Promise<KeyProblem[]> => {
      const problems: KeyProblem[] = [];
      let cursor: string | undefined;
      do {
        const json = { repair, ...(cursor !== undefined && { cursor }) };
        const { status, body } = await app.request('/v1/keys/check', { method: 'POST', token: admin, json });
        expect(status).toBe(200);
        problems.push(...body.data.problems);
        cursor = body.page?.next;
      } while (cursor !== undefined);
      return problems;
    };
    /** Something that no request does. */
    const damage = async (work: (documents: Database) => Promise<unknown>): Promise<void> => {
      await work(app.get<Database>(DATABASE));
    };
    const kinds = (problems: readonly KeyProblem[]): string[] =>
      [...new Set(problems.map(({ kind }) => kind))].toSorted();
    /** Damages, and expects that it is seen, that looking changes nothing, and that a repair ends it. */
    const expectRepair = async (
      work: (documents: Database) => Promise<unknown>,
      ...expected: string[]
    ): Promise<void> => {
      await damage(work);
      expect(kinds(await check())).toEqual(expected);
      expect((await check(true)).every(({ repaired }) => repaired)).toBe(true);
      expect(await check()).toEqual([]);
    };
    let key: TestKey;
    beforeAll(async () => {
      key = await newTestKey('Checked', { expiresIn: 86_400 });
      await addKey(app, key.armored, ann);
    });
    const handles = (documents: Database) => documents.collection(HANDLES);
    const idOf = (handle: string): string => `${key.fingerprint} ${handle}`;

    it('finds nothing where nobody has interfered', async () => {
      expect(await check()).toEqual([]);
    });

    it('finds a certificate that its address does not lead to, and makes it findable', async () => {
      await expectRepair(
        (documents) => handles(documents).delete(idOf('email/checked@example.org')),
        'handle_missing',
      );
      expect(await getKeys(app, 'checked@example.org')).toHaveLength(1);
    });

    it('finds a handle of a certificate that is not there, and of one that has no such handle', async () => {
      await expectRepair(async (documents) => {
        const stray = (fingerprint: string, handle: string) =>
          handles(documents).put(`${fingerprint} ${handle}`, { handle, place: 0, fingerprint });
        await stray('0'.repeat(40), 'word/nothing');
        await stray(key.fingerprint, 'email/somebody@example.org');
      }, 'handle_stray');
      expect(await getKeys(app, 'somebody@example.org')).toEqual([]);
    });

    it('finds a handle that puts a certificate where it does not belong', async () => {
      const handle = 'email/checked@example.org';
      await expectRepair(
        (documents) =>
          handles(documents).put(idOf(handle), { handle, place: 0, fingerprint: key.fingerprint }),
        'handle_wrong',
      );
      expect(await getKeys(app, 'checked@example.org')).toHaveLength(1);
    });

    it('finds what is kept beside a certificate and is not what it says', async () => {
      await expectRepair(async (documents) => {
        const certificates = documents.collection(CERTIFICATES);
        await certificates.update(key.fingerprint, (value) => value && { ...value, revoked: true });
      }, 'outdated');
      expect(
        (await app.request(`/pks/lookup?op=index&options=mr&search=0x${key.fingerprint}`)).body,
      ).not.toMatch(/:r\n/);
    });

    it('finds an account that does not see what expires, and one that has nothing to do with it', async () => {
      await expectRepair(
        async (documents) => {
          const holdings = documents.collection(HOLDINGS);
          const account = authority.accountId('ann');
          await holdings.delete(`${account} ${key.fingerprint}`);
          await holdings.put(`nobody ${key.fingerprint}`, {
            account: 'nobody',
            fingerprint: key.fingerprint,
          });
        },
        'holder_missing',
        'holder_stray',
      );
      expect((await app.request('/v1/keys/expiring', { token: ann })).body.data).toHaveLength(1);
    });

    it('finds what the feed does not say, or says of what is not there', async () => {
      await expectRepair(async (documents) => {
        const changes = documents.collection(CHANGES);
        await changes.delete(key.fingerprint);
        const [gone, sequence] = ['1'.repeat(40), 1_000_000];
        await changes.put(gone, {
          sequence,
          fingerprint: gone,
          state: 'present',
          at: new Date().toISOString(),
        });
      }, 'change_wrong');
      const { body } = await app.request(`/v1/keys/changes?fingerprint=${key.fingerprint}`);
      expect(body.data.changes).toMatchObject([{ state: 'present' }]);
    });

    it('finds a certificate that cannot be read, and does not touch it', async () => {
      const broken = await newTestKey('Broken');
      await addKey(app, broken.armored, ann);
      const certificates = app.get<Database>(DATABASE).collection(CERTIFICATES);
      const whole = (await certificates.get(broken.fingerprint))?.value;
      if (whole === undefined) throw new Error('no certificate');
      await certificates.put(broken.fingerprint, { ...whole, armor: key.armored });
      for (const repair of [false, true])
        expect(await check(repair)).toEqual([
          { kind: 'unreadable', fingerprint: broken.fingerprint, repaired: false },
        ]);
      await certificates.put(broken.fingerprint, whole);
    });

    it('finds nothing that is only being changed', async () => {
      // Commits of the stand-in are not atomic: there it does find them.
      const [writes, checks] = name === 'SQLite' ? [8, 8] : [1, 0];
      const write = async (n: number) => addKey(app, await withUserId(key, { name: `Name${n}` }), ann);
      const writing = Promise.all(Array.from({ length: writes }, (_, n) => write(n)));
      for (let n = 0; n < checks; n += 1) expect(await check()).toEqual([]);
      expect((await writing).map(({ status }) => status)).toEqual(Array.from({ length: writes }, () => 200));
      expect(await check()).toEqual([]);
    });

    it('that repairs is in the audit trail', async () => {
      const query = `subject=${key.fingerprint}&action=key.repair`;
      const entries = await waitForEntries(app, admin, query, 6);
      expect(entries.every(({ actor }) => actor === null)).toBe(true);
    });

    it('is for administrators, and goes on from where it was only', async () => {
      const ask = (json: object, token = admin) =>
        app.request('/v1/keys/check', { method: 'POST', token, json });
      expect((await ask({}, ann)).status).toBe(403);
      for (const cursor of ['x', 'certificates x', 'handles W10'])
        expect((await ask({ cursor })).status).toBe(400);
    });
  });
});

/** Of the first packet, with its header of the new format. */
function lengthOf(packets: Buffer): number {
  const first = packets[1] ?? 0;
  return first < 192 ? first + 2 : ((first - 192) << 8) + (packets[2] ?? 0) + 192 + 3;
}

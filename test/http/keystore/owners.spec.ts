import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { KeystoreModule } from '#apps/keystore/src/keystore.module';
import type { KeyChange, KeyRecord } from '#libs/contract';
import { readArmor, readPackets, writeArmor } from '#libs/pgp';
import * as openpgp from 'openpgp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type AppAnswer, type StartedApp, startApp } from '../../support/app.js';
import { waitForEntries } from '../../support/audit.js';
import { DATABASES, type TestDatabase } from '../../support/databases.js';
import { lacking, skipped } from '../../support/needs.js';
import {
  addKey,
  clearSigned,
  getKeys,
  newTestKey,
  sifKey,
  type TestKey,
  userIdsOf,
  withUserId,
} from '../../support/pgp-keys.js';
import { temporaryFolder } from '../../support/temporary.js';
import { TestAuthority } from '../../support/tokens.js';

const noGpg = lacking('gpg');
const run = promisify(execFile);
const hashOf = (text: string): string => createHash('sha256').update(text).digest('hex');

describe.each(DATABASES)('whose a key is, on $name', ({ open }) => {
  let database: TestDatabase;
  let authority: TestAuthority;
  let app: StartedApp;
  let ann: string;
  let bob: string;
  let admin: string;
  beforeAll(async () => {
    database = await open();
    authority = await TestAuthority.make();
    app = await startApp({
      modules: [KeystoreModule, authority.module()],
      env: { SCS_SERVICES: 'keystore', SCS_AUTH_URL: 'https://localhost:1', ...database.env },
    });
    [ann, bob, admin] = await Promise.all([
      authority.token({ username: 'ann' }),
      authority.token({ username: 'bob' }),
      authority.token({ username: 'root', administrator: true }),
    ]);
  });
  afterAll(async () => {
    await app.stop();
    await database.stop();
  });

  const call = (method: string, path: string, token?: string, json?: object): Promise<AppAnswer> =>
    app.request(path, {
      method,
      ...(token !== undefined && { token }),
      ...(json !== undefined && { json }),
    });
  const keyOf = ({ fingerprint }: Pick<TestKey, 'fingerprint'>): string => `/v1/keys/${fingerprint}`;
  const show = async (key: TestKey, token?: string): Promise<KeyRecord> => {
    const { status, body } = await call('GET', keyOf(key), token);
    expect(status).toBe(200);
    return body.data as KeyRecord;
  };
  const remove = async (key: TestKey, token: string): Promise<unknown> => {
    const { status, body } = await call('DELETE', keyOf(key), token);
    return status === 200 ? body.data.outcome : [status, body.error.reason];
  };
  const add = async (armored: string, token = ann): Promise<void> => {
    const { status, body } = await addKey(app, armored, token);
    expect([status, body]).toEqual([200, expect.any(String)]);
  };
  const challenge = async (key: Pick<TestKey, 'fingerprint'>, token: string): Promise<string> =>
    (await call('POST', `${keyOf(key)}/challenge`, token)).body.data.text as string;
  const sendClaim = async (
    key: Pick<TestKey, 'fingerprint'>,
    token: string,
    signed: string,
  ): Promise<unknown> => {
    const { status, body } = await call('POST', `${keyOf(key)}/claim`, token, { signed });
    return status === 200 ? body.data.role : [status, body.error.reason];
  };
  const claim = async (
    key: Omit<TestKey, 'revoked'>,
    token = ann,
    signer: Pick<TestKey, 'secret'> = key,
  ): Promise<unknown> => sendClaim(key, token, await clearSigned(signer, await challenge(key, token)));
  const hide = async (key: TestKey, token: string, ...texts: string[]): Promise<unknown> => {
    const { status, body } = await call('PUT', `${keyOf(key)}/hidden`, token, { hashes: texts.map(hashOf) });
    return status === 200
      ? body.data.userIds.map(({ text }: { text: string }) => text)
      : [status, body.error.reason];
  };
  const found = async (key: TestKey): Promise<string[] | undefined> => {
    const [certificate] = await getKeys(app, `0x${key.fingerprint}`);
    return certificate === undefined ? undefined : userIdsOf(certificate);
  };
  const stateOf = async (key: TestKey): Promise<string | undefined> => {
    const { body } = await call('GET', `/v1/keys/changes?fingerprint=${key.fingerprint}`);
    return (body.data.changes as KeyChange[])[0]?.state;
  };

  describe('those who brought it', () => {
    it('95: are remembered when they brought something: others may bring a valid update', async () => {
      const key = await newTestKey('Shared');
      await add(key.armored, ann);
      await add(key.armored, bob);
      expect(await show(key, ann)).toMatchObject({ contributors: 1, role: 'contributor', owned: false });
      await add(await withUserId(key, { name: 'Second' }), bob);
      expect(await show(key)).toMatchObject({ contributors: 2, role: 'none' });
      expect((await show(key)).details).toBeUndefined();
      expect((await show(key, bob)).details?.contributors.map(({ username }) => username)).toEqual([
        'ann',
        'bob',
      ]);
    });

    it('96: take back their own part, and it goes with the last one; others remove nothing', async () => {
      const key = await newTestKey('Parts');
      await add(key.armored, ann);
      const stranger = await authority.token({ username: 'carol' });
      expect(await remove(key, stranger)).toEqual([403, 'not_yours']);
      await add(await withUserId(key, { name: 'Second' }), bob);
      expect(await remove(key, ann)).toBe('contribution_removed');
      expect(await remove(key, ann)).toEqual([403, 'not_yours']);
      expect(await found(key)).toHaveLength(2);
      expect(await remove(key, bob)).toBe('removed');
      expect(await found(key)).toBeUndefined();
      expect(await remove(key, bob)).toEqual([404, 'key_not_found']);
      expect(await stateOf(key)).toBe('removed');
      expect((await getKeys(app, 'parts@example.org')).length).toBe(0);
    });

    it('can bring it again after it was removed', async () => {
      const key = await newTestKey('Again');
      await add(key.armored, ann);
      expect(await remove(key, ann)).toBe('removed');
      await add(key.armored, bob);
      expect(await stateOf(key)).toBe('present');
      expect(await show(key, bob)).toMatchObject({ contributors: 1, role: 'contributor' });
    });

    it('need the scope for it', async () => {
      const key = await newTestKey('Scope');
      await add(key.armored, ann);
      const token = await authority.token({ username: 'ann', scopes: ['library:write'] });
      expect(await remove(key, token)).toEqual([403, 'scope_missing']);
      expect((await call('DELETE', keyOf(key))).status).toBe(401);
    });
  });

  describe('a proof', () => {
    it('96: makes the account the owner, who removes the key at once', async () => {
      const key = await newTestKey('Owned');
      await add(key.armored, bob);
      expect(await remove(key, ann)).toEqual([403, 'not_yours']);
      expect(await claim(key, ann)).toBe('owner');
      expect(await show(key, ann)).toMatchObject({ owned: true, details: { owner: { username: 'ann' } } });
      expect(await remove(key, bob)).toBe('contribution_removed');
      expect(await found(key)).toEqual(['Owned <owned@example.org>']);
      expect(await remove(key, ann)).toBe('removed');
      expect(await found(key)).toBeUndefined();
    });

    it('of somebody later counts more: whoever has the key has the last word', async () => {
      const key = await newTestKey('Newest');
      await add(key.armored, ann);
      expect(await claim(key, ann)).toBe('owner');
      expect(await claim(key, bob)).toBe('owner');
      expect(await show(key, ann)).toMatchObject({ role: 'contributor' });
      expect(await hide(key, ann)).toEqual([403, 'not_owner']);
    });

    it('is good for one account, one key, and as it was written', async () => {
      const [key, other] = [await newTestKey('Mine'), await newTestKey('Yours')];
      await add(key.armored);
      await add(other.armored);
      const text = await challenge(key, ann);
      expect(text).toContain(`account: ann ${authority.accountId('ann')}`);
      const refused = [403, 'challenge_invalid'];
      expect(await sendClaim(key, bob, await clearSigned(key, text))).toEqual(refused);
      expect(await sendClaim(other, ann, await clearSigned(other, text))).toEqual(refused);
      const longer = text.replace(/until: \d{4}/, 'until: 9999');
      expect(await sendClaim(key, ann, await clearSigned(key, longer))).toEqual(refused);
      expect(await sendClaim(key, ann, await clearSigned(key, `${text}\nand more`))).toEqual(refused);
      expect(await sendClaim(key, ann, await clearSigned(key, 'hello'))).toEqual(refused);
      expect(await sendClaim(key, ann, 'hello')).toEqual([422, 'pgp_not_clear_signed']);
      expect(await show(key)).toMatchObject({ owned: false });
    });

    it('needs a signature of this key that can be trusted', async () => {
      const [key, other] = [await newTestKey('Signed'), await newTestKey('Foreign')];
      await add(key.armored);
      expect(await claim(key, ann, other)).toEqual([422, 'pgp_bad_signature']);
      const text = await challenge(key, ann);
      const signed = await clearSigned(key, text);
      expect(await sendClaim(key, ann, signed.replace(/^account: ann/m, 'account:  ann'))).toEqual([
        403,
        'challenge_invalid',
      ]);
      const broken = (await clearSigned(key, 'other')).replace('\nother\n', () => `\n${text}\n`);
      expect(await sendClaim(key, ann, broken)).toEqual([422, 'pgp_bad_signature']);
      await add(await key.revoked());
      expect(await sendClaim(key, ann, signed)).toEqual([422, 'key_revoked']);
    });

    it('is no signature of a subkey, unless the primary key can only certify', async () => {
      const signing = await newTestKey('Subkey', { subkeys: [{ sign: true }] });
      await add(signing.armored);
      const [subkey] = signing.secret.getSubkeys();
      if (subkey === undefined) throw new Error('no subkey');
      const bySubkey = await openpgp.sign({
        message: await openpgp.createCleartextMessage({ text: await challenge(signing, ann) }),
        signingKeys: signing.secret,
        signingKeyIDs: [subkey.getKeyID()],
      });
      expect(await sendClaim(signing, ann, bySubkey)).toEqual([422, 'signed_by_subkey']);
      const certifying = await sifKey('test-key-d');
      await add(certifying.armored);
      expect(await claim(certifying)).toBe('owner');
    });

    it('tells nobody whether there is such a key', async () => {
      const key = await newTestKey('Absent');
      expect(await claim(key)).toEqual([404, 'key_not_found']);
    });

    it.skipIf(noGpg)(`is what gpg signs, too${skipped(noGpg)}`, async () => {
      const key = await newTestKey('Gpg');
      await add(key.armored);
      const folder = await temporaryFolder();
      const gpg = (...args: string[]) => run('gpg', ['--homedir', folder.path, '--batch', ...args]);
      try {
        await writeFile(join(folder.path, 'key.asc'), key.secret.armor());
        await writeFile(join(folder.path, 'challenge'), `${await challenge(key, ann)}\n`);
        await gpg('--import', join(folder.path, 'key.asc'));
        const signed = await gpg(
          '--local-user',
          `${key.fingerprint}!`,
          '--output',
          '-',
          '--clearsign',
          join(folder.path, 'challenge'),
        );
        expect(await sendClaim(key, ann, signed.stdout)).toBe('owner');
      } finally {
        await run('gpgconf', ['--homedir', folder.path, '--kill', 'all']);
        await folder.remove();
      }
    });
  });

  describe('a hidden user id', () => {
    const SECOND = { name: 'Private', email: 'private@example.org' };
    const text = 'Private <private@example.org>';
    const withSecond = async (name: string): Promise<TestKey> => {
      const key = await newTestKey(name);
      await add(key.armored, bob);
      await add(await withUserId(key, SECOND), bob);
      return key;
    };

    it('is gone from everything that is answered, and stays away whoever brings it', async () => {
      const key = await withSecond('Hiding');
      expect(await hide(key, bob, text)).toEqual([403, 'not_owner']);
      expect(await hide(key, admin, text)).toEqual([403, 'not_owner']);
      expect(await claim(key)).toBe('owner');
      expect(await hide(key, ann, text)).toEqual(['Hiding <hiding@example.org>']);
      const again = await withUserId(key, SECOND);
      await add(again, bob);
      expect((await addKey(app, again, bob)).body).toContain('unchanged');
      expect(await found(key)).toEqual(['Hiding <hiding@example.org>']);
      for (const search of ['private@example.org', 'private'])
        expect((await getKeys(app, search)).map((one) => one.getFingerprint())).not.toContain(
          key.fingerprint,
        );
      const listing = await app.request(`/pks/lookup?op=index&options=mr&search=0x${key.fingerprint}`);
      expect(listing.body).not.toContain('rivate');
      expect(JSON.stringify(await show(key))).not.toContain('rivate');
      expect((await show(key, ann)).details?.hidden).toEqual([hashOf(text)]);
    });

    it('is shown again when its owner lets it, and somebody brings it', async () => {
      const key = await withSecond('Showing');
      await claim(key);
      await hide(key, ann, text);
      expect(await hide(key, ann)).toEqual(['Showing <showing@example.org>']);
      await add(await withUserId(key, SECOND), bob);
      expect(await found(key)).toEqual(expect.arrayContaining([text]));
    });

    it('may be all there is: the key is kept, and not given until it is revoked', async () => {
      const key = await newTestKey('Nameless');
      await add(key.armored, bob);
      await claim(key);
      expect(await hide(key, ann, 'Nameless <nameless@example.org>')).toEqual([]);
      expect(await found(key)).toBeUndefined();
      expect(await getKeys(app, `0x${key.fingerprint.slice(-16)}`)).toEqual([]);
      expect(await stateOf(key)).toBe('removed');
      const stranger = await authority.token({ username: 'carol' });
      const absent = await newTestKey('Nobody');
      for (const token of [undefined, stranger]) {
        const unseen = await call('GET', keyOf(key), token);
        expect([unseen.status, unseen.body]).toEqual([404, (await call('GET', keyOf(absent), token)).body]);
      }
      expect(await remove(key, stranger)).toEqual([404, 'key_not_found']);
      expect(await hide(key, stranger)).toEqual([404, 'key_not_found']);
      expect(await claim(key, stranger, absent)).toEqual([404, 'key_not_found']);
      expect(await show(key, ann)).toMatchObject({ state: 'removed', role: 'owner', userIds: [] });
      await add(await key.revoked(), bob);
      expect(await found(key)).toEqual([]);
      expect(await stateOf(key)).toBe('revoked');
    });

    it('54: may be all there is when a revocation comes alone: it is learned, and told', async () => {
      const key = await newTestKey('Silent');
      await add(key.armored, bob);
      await claim(key);
      expect(await hide(key, ann, 'Silent <silent@example.org>')).toEqual([]);
      const whole = readArmor(await key.revoked()).flatMap((bytes) => readPackets(bytes));
      const alone = whole.filter(({ tag, body }) => tag === 2 && body[1] === 0x20);
      expect(alone).toHaveLength(1);
      const bytes = Buffer.concat(alone.map(({ body }) => Buffer.from([0xc2, body.length, ...body])));
      await add(writeArmor(bytes), bob);
      expect(await found(key)).toEqual([]);
      expect(await stateOf(key)).toBe('revoked');
    });

    it('keeps nobody from proving that they have the key, and shows it to nobody who has not', async () => {
      const [key, other] = [await newTestKey('Taken'), await newTestKey('Without')];
      await add(key.armored);
      await claim(key, ann);
      expect(await hide(key, ann, 'Taken <taken@example.org>')).toEqual([]);
      expect(await claim(key, bob, other)).toEqual([404, 'key_not_found']);
      const broken = (await clearSigned(key, 'other')).replace(
        '\nother\n',
        `\n${await challenge(key, bob)}\n`,
      );
      expect(await sendClaim(key, bob, broken)).toEqual([404, 'key_not_found']);
      expect(await claim(key, bob)).toBe('owner');
      expect((await call('GET', keyOf(key), bob)).body.data).toMatchObject({ role: 'owner' });
    });

    it('is named by its own hash, also beside those of which nothing but a revocation has come', async () => {
      const key = await newTestKey('Named', {
        userIds: ['Aa', 'Named', 'Zz'].map((name) => ({ name, email: `${name.toLowerCase()}@example.org` })),
      });
      const { keyPacket, users } = key.secret.toPublic();
      const packets = new openpgp.PacketList<openpgp.AnyPacket>();
      packets.push(keyPacket);
      for (const { userID, selfCertifications } of users) {
        if (userID === null) throw new Error('no user id');
        packets.push(userID);
        if (userID.name === 'Named') packets.push(...selfCertifications);
        else packets.push(await revocationOf(key, userID));
      }
      await add(openpgp.armor(openpgp.enums.armor.publicKey, packets.write()));
      const { userIds } = await show(key);
      expect(userIds.map(({ text: shown, hash }) => [shown, hash])).toEqual([
        ['Named <named@example.org>', hashOf('Named <named@example.org>')],
      ]);
    });

    it('is refused where the request is none', async () => {
      const key = await newTestKey('Strict');
      await add(key.armored);
      for (const json of [{}, { hashes: ['x'] }, { hashes: Array.from({ length: 101 }, () => hashOf('')) }])
        expect((await call('PUT', `${keyOf(key)}/hidden`, ann, json)).status).toBe(400);
    });
  });

  describe('a revoked key', () => {
    it('stays revoked when it is removed, and names nobody any more', async () => {
      const key = await newTestKey('Gone');
      await add(await key.revoked());
      await claim(key);
      expect(await remove(key, ann)).toBe('revocation_kept');
      expect(await found(key)).toEqual([]);
      const [certificate] = await getKeys(app, `0x${key.fingerprint.slice(-16)}`);
      expect(await certificate?.isRevoked()).toBe(true);
      expect(await getKeys(app, 'gone@example.org')).toEqual([]);
      expect(await stateOf(key)).toBe('revoked');
      expect(await show(key, admin)).toMatchObject({
        contributors: 0,
        owned: false,
        details: { owner: null, contributors: [] },
      });
      expect(await remove(key, admin)).toBe('revocation_kept');
    });
  });

  describe('a block', () => {
    const block = (key: TestKey, token: string, method = 'PUT'): Promise<AppAnswer> =>
      call(method, `/v1/keys/blocked/${key.fingerprint}`, token);

    it('is for administrators', async () => {
      const key = await newTestKey('Blocked');
      for (const method of ['GET', 'PUT', 'DELETE']) expect((await block(key, ann, method)).status).toBe(403);
      expect((await call('GET', '/v1/keys/blocked', ann)).status).toBe(403);
    });

    it('97: removes a key with its revocation, and refuses whoever brings it, in whatever form', async () => {
      const key = await newTestKey('Banned');
      await add(await key.revoked(), ann);
      expect((await block(key, admin)).body.data).toEqual({
        hash: hashOf(key.fingerprint),
        since: expect.any(String),
      });
      expect(await found(key)).toBeUndefined();
      expect(await stateOf(key)).toBe('removed');
      for (const armored of [key.armored, await key.revoked(), await withUserId(key, { name: 'Other' })]) {
        const { status, body } = await addKey(app, armored, ann);
        expect([status, body.error.reason]).toEqual([403, 'key_blocked']);
      }
      expect(await found(key)).toBeUndefined();
      expect(await show(key, admin).catch(() => 'not shown')).toBe('not shown');
      const listed = await call('GET', '/v1/keys/blocked?limit=500', admin);
      expect(JSON.stringify(listed.body)).toContain(hashOf(key.fingerprint));
      expect(JSON.stringify(listed.body)).not.toContain(key.fingerprint);
    });

    it('of a key that was never here counts too; taking it back brings nothing back', async () => {
      const key = await newTestKey('Early');
      expect((await block(key, admin)).status).toBe(200);
      expect((await block(key, admin)).status).toBe(200);
      expect((await block(key, admin, 'GET')).status).toBe(200);
      expect((await addKey(app, key.armored, ann)).status).toBe(403);
      expect((await block(key, admin, 'DELETE')).status).toBe(200);
      expect((await block(key, admin, 'DELETE')).body.error.reason).toBe('key_not_blocked');
      expect((await block(key, admin, 'GET')).status).toBe(404);
      expect(await found(key)).toBeUndefined();
      await add(key.armored);
    });

    it('lets the other keys of an upload in', async () => {
      const [bad, good] = [await newTestKey('Bad'), await newTestKey('Good')];
      await block(bad, admin);
      const { status, body } = await addKey(app, `${bad.armored}\n${good.armored}`, ann);
      expect([status, body]).toEqual([200, expect.stringContaining('is blocked on this server')]);
      expect(await found(good)).toHaveLength(1);
    });

    it('is missed by nobody who brings the key at the same moment', async () => {
      for (let round = 0; round < 5; round += 1) {
        const key = await newTestKey(`Race${round}`);
        const [added] = await Promise.all([addKey(app, key.armored, ann), block(key, admin)]);
        expect([200, 403]).toContain(added.status);
        expect(await found(key)).toBeUndefined();
      }
    });
  });

  describe('an address', () => {
    it('is confirmed where it is that of an account that brought or owns the key, and found first', async () => {
      const email = 'ann@example.com';
      const [fake, real] = [
        await newTestKey('Fake', { userIds: [{ name: 'Ann', email }] }),
        await newTestKey('Real', {
          userIds: [
            { name: 'Ann', email: 'Ann@example.com' },
            { name: 'Other', email: 'x@example.org' },
          ],
        }),
      ];
      await add(fake.armored, bob);
      await add(real.armored, bob);
      expect((await show(real)).userIds.map(({ confirmed }) => confirmed)).toEqual([false, false]);
      await claim(real, ann);
      expect((await show(real)).userIds.map(({ confirmed }) => confirmed)).toEqual([true, false]);
      expect((await show(fake)).userIds.map(({ confirmed }) => confirmed)).toEqual([false]);
      const order = async (): Promise<string[]> =>
        (await getKeys(app, email)).map((one) => one.getFingerprint());
      expect(await order()).toEqual([real.fingerprint, fake.fingerprint]);
      await add(await real.revoked(), bob);
      expect(await order()).toEqual([fake.fingerprint, real.fingerprint]);
    });
  });

  describe('what expires soon', () => {
    const expiring = async (token: string, query = ''): Promise<string[]> => {
      const { status, body } = await call('GET', `/v1/keys/expiring?${query}`, token);
      expect(status).toBe(200);
      return (body.data as { fingerprint: string }[]).map(({ fingerprint }) => fingerprint);
    };
    const DAY = 86_400;

    it('is told to those whose it is, the first to end first, and everything to administrators', async () => {
      const dora = await authority.token({ username: 'dora' });
      const [late, soon, never, owned] = await Promise.all([
        newTestKey('Late', { expiresIn: 20 * DAY }),
        newTestKey('Soon', { expiresIn: 2 * DAY }),
        newTestKey('Never'),
        newTestKey('Claimed', { expiresIn: 10 * DAY }),
      ]);
      if (!late || !soon || !never || !owned) throw new Error('no keys');
      for (const { armored } of [late, soon, never]) await add(armored, dora);
      await add(owned.armored, bob);
      expect(await expiring(dora)).toEqual([soon.fingerprint, late.fingerprint]);
      await claim(owned, dora);
      const mine = [soon.fingerprint, owned.fingerprint, late.fingerprint];
      expect(await expiring(dora)).toEqual(mine);
      expect(await expiring(dora, 'within=5')).toEqual([soon.fingerprint]);
      const page = await call('GET', '/v1/keys/expiring?limit=2', dora);
      expect(page.body.data).toHaveLength(2);
      expect(await expiring(dora, `limit=2&cursor=${encodeURIComponent(page.body.page.next)}`)).toEqual([
        late.fingerprint,
      ]);
      expect((await expiring(admin, 'all=true')).filter((one) => mine.includes(one))).toEqual(mine);
      expect((await call('GET', '/v1/keys/expiring?all=true', dora)).status).toBe(403);
      expect((await call('GET', '/v1/keys/expiring')).status).toBe(401);
      expect((await call('GET', '/v1/keys/expiring?within=0', dora)).status).toBe(400);
      await add(await soon.revoked(), bob);
      expect(await expiring(dora)).toEqual([owned.fingerprint, late.fingerprint]);
      await remove(late, dora);
      expect(await expiring(dora)).toEqual([owned.fingerprint]);
    });
  });

  it('is in the audit trail, with what was refused', async () => {
    const key = await newTestKey('Audited');
    await add(key.armored, bob);
    await remove(key, ann);
    await claim(key, ann);
    await hide(key, ann, 'nothing');
    await remove(key, ann);
    const blocked = `/v1/keys/blocked/${key.fingerprint}`;
    await call('PUT', blocked, admin);
    await addKey(app, key.armored, bob);
    await call('DELETE', blocked, admin);
    const entries = await waitForEntries(app, admin, `subject=${key.fingerprint}`, 8);
    expect(
      entries
        .toReversed()
        .map(({ action, outcome, reason, actor, after }) => [
          action,
          reason ?? outcome,
          actor?.username,
          after?.['username'],
        ]),
    ).toEqual([
      ['key.add', 'done', 'bob', undefined],
      ['key.delete', 'not_yours', 'ann', undefined],
      ['key.claim', 'done', 'ann', 'ann'],
      ['key.hide', 'done', 'ann', 'ann'],
      ['key.delete', 'done', 'ann', undefined],
      ['key.block', 'done', 'root', undefined],
      ['key.add', 'key_blocked', 'bob', undefined],
      ['key.unblock', 'done', 'root', undefined],
    ]);
    expect(entries.find(({ action }) => action === 'key.hide')).toMatchObject({
      before: { hidden: 0, contributors: 1 },
      after: { hidden: 1 },
    });
  });
});

/** What says that a user id is not one of the key any more. */
async function revocationOf(
  { secret }: TestKey,
  userID: openpgp.UserIDPacket,
): Promise<openpgp.SignaturePacket> {
  const user = secret.users.find((one) => one.userID?.userID === userID.userID);
  if (user === undefined || !(secret.keyPacket instanceof openpgp.SecretKeyPacket))
    throw new Error('no user');
  const revoked = await user.revoke(secret.keyPacket);
  const [signature] = revoked.revocationSignatures;
  if (signature === undefined) throw new Error('no revocation');
  return signature;
}

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { KeystoreModule } from '#apps/keystore/src/keystore.module';
import * as openpgp from 'openpgp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type AppAnswer, type StartedApp, startApp } from '../../support/app.js';
import { waitForEntries } from '../../support/audit.js';
import { DATABASES, type TestDatabase } from '../../support/databases.js';
import { lacking, skipped } from '../../support/needs.js';
import { addKey, clearSigned, newTestKey, type TestKey, withUserId } from '../../support/pgp-keys.js';
import { temporaryFolder } from '../../support/temporary.js';
import { TestAuthority } from '../../support/tokens.js';

const noGpg = lacking('gpg', 'dirmngr');
const run = promisify(execFile);

describe.each(DATABASES)('the keyring of an organisation, on $name', ({ open }) => {
  let database: TestDatabase;
  let authority: TestAuthority;
  let app: StartedApp;
  let admin: string;
  beforeAll(async () => {
    database = await open();
    authority = await TestAuthority.make();
    app = await startApp({
      modules: [KeystoreModule, authority.module()],
      // Plain HTTP, so that gpg asks without knowing our authority.
      env: {
        SCS_SERVICES: 'keystore',
        SCS_AUTH_URL: 'https://localhost:1',
        SCS_INSECURE_HTTP: 'yes',
        ...database.env,
      },
    });
    admin = await authority.token({ username: 'root', administrator: true });
  });
  afterAll(async () => {
    await app.stop();
    await database.stop();
  });

  const call = (method: string, path: string, token: string, json?: object): Promise<AppAnswer> =>
    app.request(path, { method, token, ...(json !== undefined && { json }) });
  /** A key that its account owns here. */
  const owned = async (name: string, token: string): Promise<TestKey> => {
    const key = await newTestKey(name);
    await addKey(app, key.armored, token);
    await claim(key, token);
    return key;
  };
  const claim = async (key: TestKey, token: string): Promise<void> => {
    const path = `/v1/keys/${key.fingerprint}`;
    const { text } = (await call('POST', `${path}/challenge`, token)).body.data;
    const { status } = await call('POST', `${path}/claim`, token, { signed: await clearSigned(key, text) });
    expect(status).toBe(200);
  };
  const entry = (organisation: string, { fingerprint }: TestKey): string =>
    `/v1/keyrings/${organisation}/keys/${fingerprint}`;
  const put = async (organisation: string, key: TestKey, token: string): Promise<unknown> => {
    const { status, body } = await call('PUT', entry(organisation, key), token);
    return status === 200 ? 'put' : [status, body.error.reason];
  };
  const take = async (organisation: string, key: TestKey, token: string): Promise<unknown> => {
    const { status, body } = await call('DELETE', entry(organisation, key), token);
    return status === 200 ? 'taken' : [status, body.error.reason];
  };
  const ring = async (organisation: string): Promise<string[]> => {
    const { status, body } = await app.request(`/v1/keyrings/${organisation}.asc`);
    if (status === 404) return [];
    return (await openpgp.readKeys({ armoredKeys: body as string })).map((key) => key.getFingerprint());
  };
  const member = (username: string, organisation: string, role: 'owner' | 'writer' | 'reader' = 'reader') =>
    authority.token({ username, organisations: { [organisation]: role } });

  it('holds keys that members have proved to have, in one armor block', async () => {
    const [ann, bob] = [await member('ann', 'physics'), await member('bob', 'physics', 'writer')];
    const [first, second] = [await owned('Ann', ann), await owned('Bob', bob)];
    expect(await ring('physics')).toEqual([]);
    expect(await put('physics', first, ann)).toBe('put');
    expect(await put('physics', second, bob)).toBe('put');
    expect(await put('physics', second, bob)).toBe('put');
    expect(await ring('physics')).toEqual([first.fingerprint, second.fingerprint].toSorted());
    const answer = await app.request('/v1/keyrings/physics.asc');
    expect(answer.headers).toMatchObject({
      'content-type': 'application/pgp-keys',
      'access-control-allow-origin': '*',
    });
    expect((answer.body as string).match(/BEGIN PGP PUBLIC KEY BLOCK/g)).toHaveLength(1);
  });

  it('is given again only when it changed', async () => {
    const ann = await member('anna', 'optics');
    const key = await owned('Anna', ann);
    await put('optics', key, ann);
    const etag = String((await app.request('/v1/keyrings/optics.asc')).headers['etag']);
    const again = async (): Promise<number> =>
      (await app.request('/v1/keyrings/optics.asc', { headers: { 'if-none-match': etag } })).status;
    expect(await again()).toBe(304);
    await addKey(app, await withUserId(key, { name: 'More' }), ann);
    expect(await again()).toBe(200);
  });

  it('takes no key of others, and none for an organisation that one does not belong to', async () => {
    const [ann, eve] = [await member('annika', 'waves'), await authority.token({ username: 'eve' })];
    const [mine, hers] = [await owned('Annika', ann), await owned('Eve', eve)];
    const foreign = await newTestKey('Foreign');
    await addKey(app, foreign.armored, ann);
    expect(await put('waves', foreign, ann)).toEqual([403, 'not_owner']);
    expect(await put('waves', hers, ann)).toEqual([403, 'not_owner']);
    expect(await put('waves', await newTestKey('Absent'), ann)).toEqual([404, 'key_not_found']);
    const nothing = [404, 'organisation_not_found'];
    expect(await put('waves', hers, eve)).toEqual(nothing);
    expect(await put('nothing', hers, eve)).toEqual(nothing);
    expect(await put('waves', mine, admin)).toEqual(nothing);
    expect(await ring('waves')).toEqual([]);
    const absent = await app.request('/v1/keyrings/waves.asc');
    expect([absent.status, absent.body]).toEqual([404, (await app.request('/v1/keyrings/nothing.asc')).body]);
    for (const file of ['waves', 'waves.gpg', '.asc', 'Waves.asc'])
      expect((await app.request(`/v1/keyrings/${file}`)).status).toBe(400);
    expect((await app.request(entry('waves', mine), { method: 'PUT' })).status).toBe(401);
  });

  it('loses within a second the keys of who left or was disabled, and has them again when they come back', async () => {
    const [ann, bob, cleo] = [
      await member('anita', 'lasers'),
      await member('boris', 'lasers'),
      await member('cleo', 'lasers'),
    ];
    const keys = [await owned('Anita', ann), await owned('Boris', bob), await owned('Cleo', cleo)] as const;
    const [hers, his, other] = keys;
    for (const [index, token] of [ann, bob, cleo].entries())
      expect(await put('lasers', keys[index] ?? hers, token)).toBe('put');
    expect(await ring('lasers')).toHaveLength(3);
    await authority.token({ username: 'anita', organisations: { other: 'owner' } });
    expect(await ring('lasers')).toEqual([his.fingerprint, other.fingerprint].toSorted());
    await authority.disable('boris');
    expect(await ring('lasers')).toEqual([other.fingerprint]);
    await member('anita', 'lasers', 'owner');
    expect(await ring('lasers')).toEqual([hers.fingerprint, other.fingerprint].toSorted());
  });

  it('loses keys that somebody else has proved to have since, and those that are removed or hidden', async () => {
    const ann = await member('ada', 'plasma');
    const keys = [await owned('One', ann), await owned('Two', ann), await owned('Three', ann)] as const;
    for (const key of keys) expect(await put('plasma', key, ann)).toBe('put');
    const [stolen, removed, hidden] = keys;
    await claim(stolen, await authority.token({ username: 'mallory' }));
    expect(await ring('plasma')).toEqual([removed.fingerprint, hidden.fingerprint].toSorted());
    await call('DELETE', `/v1/keys/${removed.fingerprint}`, ann);
    const { body } = await call('GET', `/v1/keys/${hidden.fingerprint}`, ann);
    const hashes = body.data.userIds.map(({ hash }: { hash: string }) => hash);
    await call('PUT', `/v1/keys/${hidden.fingerprint}/hidden`, ann, { hashes });
    expect(await ring('plasma')).toEqual([]);
    // A revocation is what whoever trusts the keyring has to hear of.
    await addKey(app, await hidden.revoked(), ann);
    expect(await ring('plasma')).toEqual([hidden.fingerprint]);
  });

  it('loses a key for good by whoever put it there, also after leaving, by an owner and by an administrator', async () => {
    const [ann, boss] = [await member('asta', 'cryo'), await member('boss', 'cryo', 'owner')];
    const [writer, eve] = [await member('wim', 'cryo', 'writer'), await authority.token({ username: 'eve' })];
    const key = await owned('Asta', ann);
    await put('cryo', key, ann);
    expect(await take('cryo', key, writer)).toEqual([403, 'owner_needed']);
    expect(await take('cryo', key, eve)).toEqual([404, 'keyring_not_found']);
    expect(await take('cryo', key, boss)).toBe('taken');
    expect(await take('cryo', key, boss)).toEqual([404, 'keyring_not_found']);
    expect(await ring('cryo')).toEqual([]);
    await put('cryo', key, ann);
    expect(await take('cryo', key, admin)).toBe('taken');
    await put('cryo', key, ann);
    const left = await authority.token({ username: 'asta', organisations: {} });
    expect(await take('cryo', key, left)).toBe('taken');
    const entries = await waitForEntries(app, admin, `subject=${key.fingerprint}&outcome=done`, 8);
    expect(
      entries.toReversed().map(({ action, before, after }) => [action, before?.['name'] ?? after?.['name']]),
    ).toEqual([
      ['key.add', undefined],
      ['key.claim', undefined],
      ...[1, 2, 3].flatMap(() => [
        ['keyring.add', 'cryo'],
        ['keyring.remove', 'cryo'],
      ]),
    ]);
  });

  it.skipIf(noGpg)(`is what gpg --fetch-keys takes${skipped(noGpg)}`, async () => {
    const ann = await member('alma', 'fusion');
    const keys = [await owned('Alma', ann), await owned('Second', ann)];
    for (const key of keys) await put('fusion', key, ann);
    const folder = await temporaryFolder();
    const gpg = (...args: string[]) => run('gpg', ['--homedir', folder.path, '--batch', ...args]);
    try {
      await gpg('--fetch-keys', `${app.url}/v1/keyrings/fusion.asc`);
      const { stdout } = await gpg('--with-colons', '--list-keys');
      for (const { fingerprint } of keys) expect(stdout).toContain(fingerprint.toUpperCase());
    } finally {
      await run('gpgconf', ['--homedir', folder.path, '--kill', 'all']);
      await folder.remove();
    }
  });
});

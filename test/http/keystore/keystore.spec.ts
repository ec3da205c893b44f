import * as openpgp from 'openpgp';
import { CertificatesStore } from '#apps/keystore/src/certificates.store';
import { KeystoreModule } from '#apps/keystore/src/keystore.module';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type AppAnswer, type StartedApp, startApp } from '../../support/app.js';
import { DATABASES, type TestDatabase } from '../../support/databases.js';
import { TestAuthority } from '../../support/tokens.js';
import { unhurried } from './unhurried.js';

const form = (keytext: string) => ({
  method: 'POST',
  headers: { 'content-type': 'application/x-www-form-urlencoded' },
  body: new URLSearchParams({ keytext }).toString(),
});

interface NewKey {
  readonly armored: string;
  readonly privateKey: string;
  readonly fingerprint: string;
  readonly subkeys: readonly string[];
  readonly revocation: string;
}

async function newKey(name: string, subkeys: object[] = [{}]): Promise<NewKey> {
  const made = await openpgp.generateKey({
    userIDs: [{ name, email: `${/\w+/.exec(name)?.[0].toLowerCase()}@example.org` }],
    type: 'ecc',
    curve: 'ed25519Legacy',
    subkeys,
    date: new Date(Date.now() - 60_000),
    config: { v6Keys: false },
  });
  const key = await openpgp.readKey({ armoredKey: made.publicKey });
  return {
    armored: made.publicKey,
    privateKey: made.privateKey,
    fingerprint: key.getFingerprint(),
    subkeys: key.getSubkeys().map((subkey) => subkey.getFingerprint()),
    revocation: made.revocationCertificate,
  };
}

/** The certificate of `taker` with a subkey of `owner` that it claims as its own, for encryption: no word of the subkey is needed. */
async function claiming(taker: NewKey, owner: NewKey): Promise<string> {
  const own = await openpgp.readPrivateKey({ armoredKey: taker.privateKey });
  const subkey = (await openpgp.readKey({ armoredKey: owner.armored })).subkeys[0]?.keyPacket;
  if (subkey === undefined || !(own.keyPacket instanceof openpgp.SecretKeyPacket)) throw new Error('no keys');
  const binding = new openpgp.SignaturePacket();
  binding.signatureType = openpgp.enums.signature.subkeyBinding;
  binding.publicKeyAlgorithm = own.keyPacket.algorithm;
  binding.hashAlgorithm = openpgp.enums.hash.sha256;
  binding.keyFlags = new Uint8Array([0x0c]);
  const signed = { key: own.keyPacket, bind: subkey };
  // The types do not know the last parameter, without which it fails.
  await (binding as unknown as { sign(...parameters: unknown[]): Promise<void> }).sign(
    own.keyPacket,
    signed,
    new Date(),
    false,
    openpgp.config,
  );
  const packets = own.toPublic().toPacketList();
  packets.push(subkey, binding);
  return openpgp.armor(openpgp.enums.armor.publicKey, packets.write());
}

describe.each(DATABASES)('the keystore on $name', ({ open }) => {
  let app: StartedApp;
  let database: TestDatabase;
  let authority: TestAuthority;
  let token: string;
  let ann: NewKey;

  beforeAll(async () => {
    database = await open();
    authority = await TestAuthority.make();
    app = unhurried(
      await startApp({
        modules: [KeystoreModule, authority.module()],
        env: { SCS_SERVICES: 'keystore', SCS_AUTH_URL: 'https://localhost:1', ...database.env },
      }),
    );
    token = await authority.token({ username: 'ann' });
    ann = await newKey('Ann');
  });
  afterAll(async () => {
    await app.stop();
    await database.stop();
  });

  const add = (keytext: string) => app.request('/pks/add', { ...form(keytext), token });
  const get = (search: string) => app.request(`/pks/lookup?op=get&search=${encodeURIComponent(search)}`);

  it('stores a key with exactly 200, and says unchanged the second time', async () => {
    const first = await add(ann.armored);
    expect([first.status, first.body]).toEqual([200, `${ann.fingerprint.toUpperCase()} inserted\n`]);
    const second = await add(ann.armored);
    expect([second.status, second.body]).toEqual([200, `${ann.fingerprint.toUpperCase()} unchanged\n`]);
  });

  it('serves it by fingerprint, key id, subkey, address and words, in one armor block', async () => {
    await add(ann.armored);
    const { fingerprint, subkeys } = ann;
    const searches = [
      fingerprint,
      fingerprint.slice(-16),
      fingerprint.slice(-8),
      ...subkeys,
      ...subkeys.map((one) => one.slice(-16)),
    ].map((hex) => `0x${hex}`);
    for (const search of [...searches, 'ann@example.org', 'Ann <ann@example.org>', 'ANN']) {
      const answer = await get(search);
      expect([search, answer.status, answer.headers['content-type']]).toEqual([
        search,
        200,
        'application/pgp-keys',
      ]);
      const key = await openpgp.readKey({ armoredKey: answer.body as string });
      expect(key.getFingerprint()).toBe(fingerprint);
      await key.verifyPrimaryKey();
    }
  });

  it('serves by the id of a signing subkey whose it is, and nobody who only claims it', async () => {
    const [owner, taker] = [await newKey('Owner', [{ sign: true }]), await newKey('Taker')];
    const [subkey = ''] = owner.subkeys;
    expect((await add(await claiming(taker, owner))).status).toBe(200);
    const claimed = await get(`0x${subkey}`);
    expect((await openpgp.readKey({ armoredKey: claimed.body as string })).getFingerprint()).toBe(
      taker.fingerprint,
    );
    expect((await add(owner.armored)).status).toBe(200);
    for (const hex of [subkey, subkey.slice(-16), subkey.slice(-8)]) {
      const keys = await openpgp.readKeys({ armoredKeys: (await get(`0x${hex}`)).body as string });
      expect(keys.map((key) => key.getFingerprint())).toEqual([owner.fingerprint]);
    }
  });

  it('lists in mr form: LF only, seven fields, the last line ended', async () => {
    await add(ann.armored);
    const answer = await app.request('/pks/lookup?op=index&options=mr&search=ann@example.org');
    expect(answer.headers['content-type']).toBe('text/plain; charset=utf-8');
    const lines = (answer.body as string).split('\n');
    expect(lines[0]).toBe('info:1:1');
    expect(lines[1]).toMatch(new RegExp(`^pub:${ann.fingerprint.toUpperCase()}:22:256:[0-9]+::$`));
    expect(lines[2]).toMatch(/^uid:Ann <ann@example\.org>:[0-9]+::$/);
    expect(lines.slice(3)).toEqual(['']);
  });

  it('escapes what would break a line', async () => {
    const key = await newKey('Lib: Ops + 100%');
    await add(key.armored);
    const answer = await app.request(`/pks/lookup?op=index&options=mr&search=0x${key.fingerprint}`);
    expect(answer.body).toContain('uid:Lib%3A Ops %2B 100%25 <');
  });

  it('adds a revocation to what it has', async () => {
    const key = await newKey('Revoked');
    await add(key.armored);
    const revoked = await openpgp.revokeKey({
      key: await openpgp.readKey({ armoredKey: key.armored }),
      revocationCertificate: key.revocation,
      format: 'armored',
    });
    const answer = await add(revoked.publicKey);
    expect(answer.body).toContain('updated');
    expect((await app.request(`/pks/lookup?op=index&search=0x${key.fingerprint}`)).body).toMatch(/:r\n/);
    // Uploading the old form again loses nothing.
    expect((await add(key.armored)).body).toContain('unchanged');
  });

  it('refuses a key without a token, with an empty one, and with one that lacks the scope', async () => {
    const statusOf = async (options: object) => {
      const answer = await app.request('/pks/add', { ...form(ann.armored), ...options });
      return [answer.status, answer.body.error.code];
    };
    expect(await statusOf({})).toEqual([401, 401]);
    expect(await statusOf({ headers: { ...form('').headers, authorization: 'Bearer ' } })).toEqual([
      401, 401,
    ]);
    expect(
      await statusOf({ token: await authority.token({ username: 'bob', scopes: ['library:read'] }) }),
    ).toEqual([403, 403]);
  });

  it('answers a lookup whatever token comes with it', async () => {
    await add(ann.armored);
    const answer = await app.request(`/pks/lookup?op=get&search=0x${ann.fingerprint}`, { token: 'nonsense' });
    expect(answer.status).toBe(200);
  });

  it('refuses a secret key and does not store it', async () => {
    const key = await newKey('Secret');
    const answer = await add(key.privateKey);
    expect(answer.status).toBe(422);
    expect(answer.body.error.message).toContain('It was not stored');
    expect((await get(`0x${key.fingerprint}`)).status).toBe(404);
  });

  it.each([
    ['/pks/lookup', 400],
    ['/pks/lookup?op=get', 400],
    ['/pks/lookup?op=get&search=', 400],
    ['/pks/lookup?op=get&search=0xZZ', 400],
    ['/pks/lookup?op=hget&search=x', 501],
    ['/pks/lookup?op=get&search=nobody', 404],
    ['/pks/lookup?op=get&search[$ne]=1', 400],
    ['/pks/unknown', 404],
  ])('answers %s with %i and the envelope', async (path, status) => {
    const answer = await app.request(path);
    expect(answer.status).toBe(status);
    expect(answer.body.error.code).toBe(status);
  });

  it.each([
    ['empty', form(''), 400],
    ['no key', form('hello'), 422],
    ['another content type', { ...form('x'), headers: { 'content-type': 'application/json' } }, 415],
    ['too much', { ...form('x'), body: `keytext=${'a'.repeat(2 * 1024 * 1024)}` }, 413],
  ])('refuses an upload that is %s', async (_, request, status) => {
    const answer = await app.request('/pks/add', { ...request, token });
    expect([answer.status, answer.body.error.code]).toEqual([status, status]);
  });

  it('ends in one certificate when the same key comes from many at once', async () => {
    const key = await newKey('Crowd');
    const answers = await Promise.all(Array.from({ length: 10 }, () => add(key.armored)));
    expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 10 }, () => 200));
    expect(answers.filter(({ body }) => (body as string).includes('inserted'))).toHaveLength(1);
  });
  it('lets only so many uploads of one account wait, and holds nobody else up', async () => {
    const key = await newKey('Flood');
    const store = app.get(CertificatesStore);
    const change = store.change.bind(store);
    const gate = Promise.withResolvers<void>();
    store.change = async (fingerprint, decide) => {
      if (fingerprint === key.fingerprint) await gate.promise;
      return change(fingerprint, decide);
    };
    const refused: AppAnswer[] = [];
    const tooMany = Promise.withResolvers<void>();
    const flood = Array.from({ length: 60 }, async () => {
      const answer = await add(key.armored);
      if (answer.status === 429) refused.push(answer);
      if (refused.length === 10) tooMany.resolve();
      return answer.status;
    });
    await tooMany.promise;
    const bob = await authority.token({ username: 'bob' });
    const other = await app.request('/pks/add', { ...form((await newKey('Bob')).armored), token: bob });
    expect([other.status, refused[0]?.headers['retry-after']]).toEqual([200, '1']);
    gate.resolve();
    expect((await Promise.all(flood)).filter((status) => status === 200)).toHaveLength(50);
    store.change = change;
  });
});

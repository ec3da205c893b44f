import * as openpgp from 'openpgp';
import { KeystoreModule } from '#apps/keystore/src/keystore.module';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type StartedApp, startApp } from '../../support/app.js';
import { DATABASES, type TestDatabase } from '../../support/databases.js';
import { TestAuthority } from '../../support/tokens.js';
import { unhurried } from './unhurried.js';

const CONFIG = { v6Keys: false };

async function newKey(email: string): Promise<openpgp.PrivateKey> {
  const { privateKey } = await openpgp.generateKey({
    userIDs: [{ name: 'Somebody', email }],
    type: 'ecc',
    curve: 'ed25519Legacy',
    date: new Date(Date.now() - 60_000),
    format: 'object',
    config: CONFIG,
  });
  return privateKey;
}

/** What a key is asked for by. */
const searchesFor = (key: openpgp.PrivateKey, email: string): string[] => {
  const prints = [key.getFingerprint(), ...key.getSubkeys().map((subkey) => subkey.getFingerprint())];
  return [...prints.flatMap((hex) => [`0x${hex}`, `0x${hex.slice(-16)}`]), email];
};

describe.each(DATABASES)('answers that were given before, on $name', ({ name, open }) => {
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

  const add = async (key: openpgp.Key): Promise<string> => {
    const { status, body } = await app.request('/pks/add', {
      method: 'POST',
      headers: { 'content-type': 'application/pgp-keys' },
      body: key.toPublic().armor(),
      token,
    });
    expect(status).toBe(200);
    return body as string;
  };
  const get = async (search: string, of = app): Promise<string> =>
    (await of.request(`/pks/lookup?op=get&search=${encodeURIComponent(search)}`)).body as string;
  /** For how many subkeys the certificates of an answer have. */
  const subkeysIn = async (armoredKeys: string): Promise<number[]> =>
    (await openpgp.readKeys({ armoredKeys })).map((key) => key.getSubkeys().length);

  it('are not given any more once a change was acknowledged, also when others ask all the time', async () => {
    const email = 'changed@example.org';
    let key = await newKey(email);
    await add(key);
    for (let subkeys = 2; subkeys <= 4; subkeys += 1) {
      const searches = searchesFor(key, email);
      const end = new AbortController();
      const askers = searches.map(async (search) => {
        while (!end.signal.aborted) await get(search);
      });
      try {
        for (const search of searches) expect(await subkeysIn(await get(search))).toEqual([subkeys - 1]);
        key = await key.addSubkey({ type: 'ecc', curve: 'ed25519Legacy', sign: true, config: CONFIG });
        expect(await add(key)).toContain('updated');
        for (const search of searchesFor(key, email))
          expect([search, await subkeysIn(await get(search))]).toEqual([search, [subkeys]]);
      } finally {
        end.abort();
      }
      await Promise.all(askers);
      for (const search of searches) expect(await subkeysIn(await get(search))).toEqual([subkeys]);
    }
  });

  it('are made again when another certificate is found by the same', async () => {
    const email = 'shared@example.org';
    await add(await newKey(email));
    for (let asked = 0; asked < 2; asked += 1) expect(await subkeysIn(await get(email))).toEqual([1]);
    await add(await newKey(email));
    expect(await subkeysIn(await get(email))).toEqual([1, 1]);
    expect(await subkeysIn(await get(email))).toEqual([1, 1]);
  });

  it('are none that nothing was found by: what is added is found at once', async () => {
    const key = await newKey('new@example.org');
    for (const search of searchesFor(key, 'new@example.org'))
      expect(await get(search)).not.toContain('BEGIN');
    await add(key);
    for (const search of searchesFor(key, 'new@example.org')) expect(await get(search)).toContain('BEGIN');
  });

  it.runIf(name === 'MongoDB')(
    'are none where another replica may have changed the certificate',
    async () => {
      const other = await start();
      const email = 'replicas@example.org';
      let key = await newKey(email);
      await add(key);
      for (const search of searchesFor(key, email))
        expect(await subkeysIn(await get(search, other))).toEqual([1]);
      key = await key.addSubkey({ type: 'ecc', curve: 'ed25519Legacy', sign: true, config: CONFIG });
      await add(key);
      for (const search of searchesFor(key, email))
        expect(await subkeysIn(await get(search, other))).toEqual([2]);
      await other.stop();
    },
  );
});

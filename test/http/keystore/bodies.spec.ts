import * as openpgp from 'openpgp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { KeystoreModule } from '#apps/keystore/src/keystore.module';
import { routesOf } from '#libs/server';
import { type StartedApp, startApp } from '../../support/app.js';
import { asQuery, comparable, extraFields } from '../../support/extra-fields.js';
import { TestAuthority } from '../../support/tokens.js';

/** Whatever a listing says of a key, and what other servers take beside it (HKP `options`, `search`, `keytext` twice). */
const KEPT = {
  fingerprint: 'F'.repeat(40),
  keyid: 'F'.repeat(16),
  uid: 'Mallory <mallory@example.org>',
  email: 'mallory@example.org',
  search: '0x1',
  op: 'delete',
  options: 'nm,mr',
  exact: 'on',
  verified: true,
  published: true,
  revoked: true,
  expires: 1,
  keys: [],
  replaces: 'F'.repeat(40),
};

describe('bodies of the keystore', () => {
  let app: StartedApp;
  let token: string;
  beforeAll(async () => {
    const authority = await TestAuthority.make();
    app = await startApp({
      modules: [KeystoreModule, authority.module()],
      env: { SCS_SERVICES: 'keystore', SCS_AUTH_URL: 'https://localhost:1' },
    });
    token = await authority.token({ username: 'ann' });
  });
  afterAll(() => app.stop());

  async function add(fields: Record<string, unknown>, form: boolean): Promise<unknown> {
    const { publicKey } = await openpgp.generateKey({
      userIDs: [{ name: 'Ann', email: 'ann@example.org' }],
      type: 'ecc',
      curve: 'ed25519Legacy',
      config: { v6Keys: false },
    });
    const fingerprint = (await openpgp.readKey({ armoredKey: publicKey })).getFingerprint();
    const query = asQuery(fields);
    const answer = await app.request(`/pks/add?${query}`, {
      method: 'POST',
      token,
      headers: {
        accept: 'application/json',
        'content-type': form ? 'application/x-www-form-urlencoded' : 'application/pgp-keys',
      },
      body: form ? `${query}&${new URLSearchParams({ keytext: publicKey }).toString()}` : publicKey,
    });
    const index = await app.request(`/pks/lookup?op=index&options=mr&search=0x${fingerprint}`);
    const sought = await app.request('/pks/lookup?op=index&options=mr&search=mallory@example.org');
    const lines = String(index.body).replaceAll(/\b[0-9]{10}\b/g, 'SECONDS');
    return comparable([answer.status, answer.body, index.status, lines, sought.status]);
  }

  it('are tested for every route that takes one', () => {
    const taking = routesOf([KeystoreModule]).filter(({ method }) => !['GET', 'DELETE'].includes(method));
    expect(taking.map(({ method, path }) => `${method} ${path}`)).toEqual(['POST /pks/add']);
  });

  it.each([
    ['a form', true],
    ['the key itself', false],
  ])('POST /pks/add, %s: fields that no client may set change nothing', async (_, form) => {
    const plain = await add({}, form);
    expect((plain as unknown[])[0]).toBe(200);
    expect(await add(extraFields(KEPT), form)).toEqual(plain);
  });
});

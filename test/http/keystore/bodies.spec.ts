import * as openpgp from 'openpgp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { KeystoreModule } from '#apps/keystore/src/keystore.module';
import { routesOf } from '#libs/server';
import { type AppAnswer, type StartedApp, startApp } from '../../support/app.js';
import { asQuery, comparable, extraFields } from '../../support/extra-fields.js';
import { clearSigned, newTestKey, type TestKey } from '../../support/pgp-keys.js';
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
  owned: true,
  userIds: [],
  contributors: ['mallory'],
  change: 77,
  published_at: 1,
  blocked: true,
  organisation: 'mallory',
};

/** Routes that look at no body, whatever is sent. */
const READ_NONE = [
  'OPTIONS /pks/lookup',
  'OPTIONS /pks/stats',
  'OPTIONS /pks/add',
  'POST /pks/hashquery',
  'OPTIONS /pks/v2/*',
  'POST /pks/v2/*',
  'PUT /pks/v2/*',
  'PUT /v1/keys/blocked/:fingerprint',
  'POST /v1/keys/:fingerprint/challenge',
  'PUT /v1/keyrings/:organisation/keys/:fingerprint',
];

interface Sent {
  /** In the body, when it is an object. */
  readonly extra: Record<string, unknown>;
  /** In the address. */
  readonly query: string;
}

describe('bodies of the keystore', () => {
  let app: StartedApp;
  let token: string;
  let admin: string;
  beforeAll(async () => {
    const authority = await TestAuthority.make();
    app = await startApp({
      modules: [KeystoreModule, authority.module()],
      env: { SCS_SERVICES: 'keystore', SCS_AUTH_URL: 'https://localhost:1' },
    });
    token = await authority.token({ username: 'ann' });
    admin = await authority.token({ username: 'root', administrator: true });
  });
  afterAll(() => app.stop());

  const bytesOf = async ({ armored }: TestKey): Promise<Uint8Array> =>
    (await openpgp.readKey({ armoredKey: armored })).write();
  /** What is seen of a key afterwards. */
  async function seen({ fingerprint }: TestKey): Promise<unknown[]> {
    const index = await app.request(`/pks/lookup?op=index&options=mr&search=0x${fingerprint}`);
    const sought = await app.request('/pks/lookup?op=index&options=mr&search=mallory@example.org');
    const shown = await app.request(`/v1/keys/${fingerprint}`, { token: admin });
    const { body } = await app.request(`/v1/keys/changes?fingerprint=${fingerprint}`);
    const states = (body.data.changes as { state: string }[]).map(({ state }) => state);
    return [
      String(index.body).replaceAll(/\b[0-9]{10}\b/g, 'SECONDS'),
      sought.status,
      { ...shown.body.data, change: 'NUMBER' },
      states,
    ];
  }
  async function sendKey(path: string, { query }: Sent, as = token): Promise<unknown> {
    const key = await newTestKey('Ann');
    const answer = await app.request(`${path}?${query}`, {
      method: 'POST',
      token: as,
      headers: { 'content-type': 'application/pgp-keys', accept: 'application/json' },
      body: await bytesOf(key),
    });
    return comparable([answer.status, answer.body, await seen(key)]);
  }
  async function added(): Promise<TestKey> {
    const key = await newTestKey('Ann');
    const body = await bytesOf(key);
    await app.request('/v1/keys/import', { method: 'POST', token: admin, body });
    return key;
  }
  async function sendClaim(key: TestKey, { extra, query }: Sent): Promise<AppAnswer> {
    const path = `/v1/keys/${key.fingerprint}`;
    const challenge = await app.request(`${path}/challenge`, { method: 'POST', token });
    const signed = await clearSigned(key, challenge.body.data.text as string);
    return app.request(`${path}/claim?${query}`, { method: 'POST', token, json: { ...extra, signed } });
  }
  const outcome = ({ status, body }: AppAnswer): unknown => [status, { ...body.data, change: 'NUMBER' }];

  const CASES: Readonly<Record<string, (sent: Sent) => Promise<unknown>>> = {
    'POST /pks/add': (sent) => sendKey('/pks/add', sent),
    'POST /pks/v2/certs': (sent) => sendKey('/pks/v2/certs', sent),
    'POST /v1/keys/import': (sent) => sendKey('/v1/keys/import', sent, admin),
    'POST /v1/keys/:fingerprint/claim': async (sent) => {
      const key = await added();
      const answer = await sendClaim(key, sent);
      return comparable([outcome(answer), await seen(key)]);
    },
    'PUT /v1/keys/:fingerprint/hidden': async ({ extra, query }) => {
      const key = await added();
      await sendClaim(key, { extra: {}, query: '' });
      const path = `/v1/keys/${key.fingerprint}/hidden?${query}`;
      const answer = await app.request(path, { method: 'PUT', token, json: { ...extra, hashes: [] } });
      return comparable([outcome(answer), await seen(key)]);
    },
    'POST /v1/keys/check': async ({ extra, query }) => {
      const key = await added();
      const path = `/v1/keys/check?${query}`;
      const answer = await app.request(path, { method: 'POST', token: admin, json: extra });
      return comparable([answer.status, answer.body.data.problems, await seen(key)]);
    },
  };

  it('are tested for every route that takes one', () => {
    const taking = routesOf([KeystoreModule])
      .filter(({ method }) => !['GET', 'DELETE'].includes(method))
      .map(({ method, path }) => `${method} ${path}`);
    expect(taking.toSorted()).toEqual([...Object.keys(CASES), ...READ_NONE].toSorted());
  });

  describe.each(Object.entries(CASES))('%s', (_, send) => {
    it('does what it does', async () => {
      const [status] = [await send({ extra: {}, query: '' })].flat(2);
      expect(status).toBe(200);
    });

    it.each([
      ['in the body', (fields: Record<string, unknown>) => ({ extra: fields, query: '' })],
      ['in the address', (fields: Record<string, unknown>) => ({ extra: {}, query: asQuery(fields) })],
    ])('fields that no client may set change nothing %s', async (_place, put) => {
      expect(await send(put(extraFields(KEPT)))).toEqual(await send({ extra: {}, query: '' }));
    });
  });

  it('POST /pks/add: fields of the form beside keytext change nothing', async () => {
    const add = async (fields: Record<string, unknown>): Promise<unknown> => {
      const key = await newTestKey('Ann');
      const query = asQuery(fields);
      const { status, body } = await app.request(`/pks/add?${query}`, {
        method: 'POST',
        token,
        headers: { accept: 'application/json', 'content-type': 'application/x-www-form-urlencoded' },
        body: `${query}&${new URLSearchParams({ keytext: key.armored }).toString()}`,
      });
      return comparable([status, body, await seen(key)]);
    };
    const plain = await add({});
    expect((plain as unknown[])[0]).toBe(200);
    expect(await add(extraFields(KEPT))).toEqual(plain);
  });
});

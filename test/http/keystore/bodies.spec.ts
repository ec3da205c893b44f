import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BlocksStore } from '#apps/keystore/src/blocks.store';
import { CertificatesStore } from '#apps/keystore/src/certificates.store';
import { KeyringsStore } from '#apps/keystore/src/keyrings.store';
import { NoticesStore } from '#apps/keystore/src/notices.store';
import { KeystoreModule } from '#apps/keystore/src/keystore.module';
import { readArmor } from '#libs/pgp';
import { routesOf } from '#libs/server';
import { type AppAnswer, type StartedApp, startApp } from '../../support/app.js';
import { asQuery, comparable, extraFields } from '../../support/extra-fields.js';
import {
  addKey,
  clearSigned,
  newTestKey,
  type TestKey,
  type TestKeyOptions,
} from '../../support/pgp-keys.js';
import { TestAuthority } from '../../support/tokens.js';

/** Whatever is kept of a key, what a listing says of it, and what other servers take beside it (HKP `options`, `search`). */
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
  expiring: 1,
  keys: [],
  replaces: 'F'.repeat(40),
  armor: 'x',
  withheld: 'eA==',
  alone: true,
  userIds: [],
  contributors: [{ account: 'a'.repeat(24), username: 'mallory', email: '', at: '1999-01-01T00:00:00Z' }],
  hidden: ['f'.repeat(64)],
  hashes: ['f'.repeat(64)],
  handles: ['email mallory@example.org'],
  confirmed: true,
  blocked: true,
  organisation: 'mallorys',
  rolesKey: 'x',
  at: '1999-01-01T00:00:00Z',
  since: '1999-01-01T00:00:00Z',
  until: '2999-01-01T00:00:00Z',
  hash: 'f'.repeat(64),
  sequence: 77,
  repair: true,
  dryRun: true,
};

interface Sent {
  readonly app: StartedApp;
  /** Of a member of the organisation `physics`. */
  readonly token: string;
  readonly admin: string;
  /** Of `extraFields`, without what the route takes. */
  readonly extra: (...taken: readonly string[]) => Record<string, unknown>;
  /** To be added to an address: nothing, or the fields as a query. */
  readonly query: string;
}
/** Sends a body, and tells everything that could have come of it. */
type Case = (sent: Sent) => Promise<unknown>;

/** What was answered, and everything that is kept about a key. */
async function outcome({ app }: Sent, { status, body }: AppAnswer, key: TestKey): Promise<unknown> {
  const { fingerprint } = key;
  const stored = (await app.get(CertificatesStore).get(fingerprint))?.value;
  const listed = await app.request(`/pks/lookup?op=index&options=mr&search=0x${fingerprint}`);
  const sought = await app.request('/pks/lookup?op=index&options=mr&search=mallory@example.org');
  const changes = await app.request(`/v1/keys/changes?fingerprint=${fingerprint}`);
  return {
    status,
    body: body as unknown,
    // Of every key others: its bytes, and what it is found by besides its user ids.
    stored: stored && {
      ...stored,
      armor: '',
      handles: stored.handles.filter((handle) => /^(?:word|email)/.test(handle)),
    },
    listed: [listed.status, listed.body as unknown, sought.status],
    changes: (changes.body.data.changes as { state: string }[]).map(({ state }) => state),
    blocked: (await app.get(BlocksStore).get(fingerprint)) ?? null,
    keyrings: await Promise.all(
      ['physics', 'mallorys'].map(async (organisation) => {
        const entry = (await app.get(KeyringsStore).get(organisation, fingerprint))?.value;
        return entry && { ...entry, rolesKey: '' };
      }),
    ),
  };
}

async function storedKey({ app, token }: Sent, options: TestKeyOptions = {}): Promise<TestKey> {
  const key = await newTestKey('Ann', options);
  expect((await addKey(app, key.armored, token)).status).toBe(200);
  return key;
}
async function challengeFor({ app, token }: Sent, { fingerprint }: TestKey): Promise<string> {
  const path = `/v1/keys/${fingerprint}/challenge`;
  return (await app.request(path, { method: 'POST', token })).body.data.text as string;
}
async function ownedKey(sent: Sent): Promise<TestKey> {
  const key = await storedKey(sent);
  const json = { signed: await clearSigned(key, await challengeFor(sent, key)) };
  const path = `/v1/keys/${key.fingerprint}/claim`;
  expect((await sent.app.request(path, { token: sent.token, json })).status).toBe(200);
  return key;
}

const upload =
  (path: string, type: string): Case =>
  async (sent) => {
    const { app, token, query } = sent;
    const key = await newTestKey('Ann');
    const body = type.endsWith('form-urlencoded')
      ? `${query}&${new URLSearchParams({ keytext: key.armored }).toString()}`
      : key.armored;
    const headers = { accept: 'application/json', 'content-type': type };
    return outcome(
      sent,
      await app.request(`${path}?${query}`, { method: 'POST', token, headers, body }),
      key,
    );
  };

/** Every route of the keystore that takes a body, or could. */
const CASES: Readonly<Record<string, Case>> = {
  'POST /pks/add': upload('/pks/add', 'application/x-www-form-urlencoded'),
  'POST /pks/add, the key itself': upload('/pks/add', 'application/pgp-keys'),
  'POST /pks/v2/certs': upload('/pks/v2/certs', 'application/pgp-keys'),
  'POST /v1/keys/:fingerprint/challenge': async (sent) => {
    const { app, token, extra, query } = sent;
    const key = await storedKey(sent);
    const path = `/v1/keys/${key.fingerprint}/challenge?${query}`;
    return outcome(sent, await app.request(path, { token, json: extra() }), key);
  },
  'POST /v1/keys/:fingerprint/claim': async (sent) => {
    const { app, token, extra, query } = sent;
    const key = await storedKey(sent);
    const json = { ...extra(), signed: await clearSigned(key, await challengeFor(sent, key)) };
    return outcome(
      sent,
      await app.request(`/v1/keys/${key.fingerprint}/claim?${query}`, { token, json }),
      key,
    );
  },
  'PUT /v1/keys/:fingerprint/hidden': async (sent) => {
    const { app, token, extra, query } = sent;
    const key = await ownedKey(sent);
    const json = { ...extra(), hashes: [createHash('sha256').update('another').digest('hex')] };
    const path = `/v1/keys/${key.fingerprint}/hidden?${query}`;
    return outcome(sent, await app.request(path, { method: 'PUT', token, json }), key);
  },
  'PUT /v1/keys/notices/:fingerprint': async (sent) => {
    const { app, token, extra, query } = sent;
    const key = await storedKey(sent, { expiresIn: 864_000 });
    await app.get<NoticesStore>(NoticesStore).tell();
    const path = `/v1/keys/notices/${key.fingerprint}?${query}`;
    return outcome(sent, await app.request(path, { method: 'PUT', token, json: extra() }), key);
  },
  'PUT /v1/keyrings/:organisation/keys/:fingerprint': async (sent) => {
    const { app, token, extra, query } = sent;
    const key = await ownedKey(sent);
    const path = `/v1/keyrings/physics/keys/${key.fingerprint}?${query}`;
    return outcome(sent, await app.request(path, { method: 'PUT', token, json: extra() }), key);
  },
  'PUT /v1/keys/blocked/:fingerprint': async (sent) => {
    const { app, admin, extra, query } = sent;
    const key = await storedKey(sent);
    const path = `/v1/keys/blocked/${key.fingerprint}?${query}`;
    return outcome(sent, await app.request(path, { method: 'PUT', token: admin, json: extra() }), key);
  },
  'POST /v1/keys/check': async (sent) => {
    const { app, admin, extra, query } = sent;
    const { status, body } = await app.request(`/v1/keys/check?${query}`, {
      token: admin,
      json: extra('repair', 'cursor'),
    });
    return { status, problems: body.data.problems as unknown };
  },
  'POST /v1/keys/import': async (sent) => {
    const { app, admin, query } = sent;
    const key = await newTestKey('Ann');
    const body = Buffer.concat(readArmor(key.armored));
    const path = `/v1/keys/import?${query}`;
    return outcome(sent, await app.request(path, { method: 'POST', token: admin, body }), key);
  },
};
/** Say so, whatever is in the body. */
const NOT_OFFERED = ['POST /pks/hashquery', 'POST /pks/v2/*', 'PUT /pks/v2/*'];

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
    token = await authority.token({ username: 'ann', organisations: { physics: 'reader' } });
    admin = await authority.token({ username: 'root', administrator: true });
  });
  afterAll(() => app.stop());

  const run = async (send: Case, extra: Sent['extra']): Promise<unknown> => {
    const answer = JSON.stringify(await send({ app, token, admin, extra, query: asQuery(extra()) }))
      .replaceAll(/\b1[789]\d{8}\b/g, '"SECONDS"')
      .replaceAll(/check: [\w-]{43}/g, 'MAC');
    return comparable(answer);
  };

  it('are tested for every route that takes one', () => {
    const taking = routesOf([KeystoreModule])
      .filter(({ method }) => !['GET', 'DELETE', 'OPTIONS'].includes(method))
      .map(({ method, path }) => `${method} ${path}`);
    const tested = new Set(Object.keys(CASES).map((name) => name.replace(/,.*/, '')));
    expect(taking.toSorted()).toEqual([...tested, ...NOT_OFFERED].toSorted());
  });

  it.each(Object.entries(CASES))('%s: fields that no client may set change nothing', async (_, send) => {
    const plain = await run(send, () => ({}));
    expect(plain).toMatch(/^\{"status":200,/);
    expect(await run(send, (...taken) => extraFields(KEPT, ...taken))).toEqual(plain);
  });
});

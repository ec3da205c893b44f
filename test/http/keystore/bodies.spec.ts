import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { KeystoreModule } from '#apps/keystore/src/keystore.module';
import { routesOf } from '#libs/server';
import { type AppAnswer, type StartedApp, startApp } from '../../support/app.js';
import { asQuery, comparable, extraFields } from '../../support/extra-fields.js';
import { addKey, clearSigned, newTestKey, type TestKey } from '../../support/pgp-keys.js';
import { TestAuthority } from '../../support/tokens.js';

/** Whatever is kept and told of a key, and what other servers take beside it. */
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
  confirmed: true,
  published: true,
  revoked: true,
  expires: 1,
  keys: [],
  replaces: 'F'.repeat(40),
  owned: true,
  contributors: 77,
  details: { owner: { username: 'mallory' } },
  hidden: ['f'.repeat(64)],
  hash: 'f'.repeat(64),
  since: '1999-01-01T00:00:00Z',
  sequence: 77,
  organisation: 'all',
  outcome: 'removed',
  problems: [],
  all: 'true',
};

interface Sent {
  readonly app: StartedApp;
  readonly ann: string;
  readonly admin: string;
  readonly extra: () => Record<string, unknown>;
  /** To be added to an address, or to a form. */
  readonly query: string;
}
type Case = (sent: Sent) => Promise<unknown>;

const statusAndBody = ({ status, body }: AppAnswer) => ({ status, body: body as unknown });

/** Everything that is known of a key, as an administrator sees it, and what became of Mallory's address. */
async function known({ app, admin }: Sent, { fingerprint }: TestKey): Promise<unknown> {
  const get = async (path: string) => statusAndBody(await app.request(path, { token: admin }));
  const record = await get(`/v1/keys/${fingerprint}`);
  const changes = await get(`/v1/keys/changes?fingerprint=${fingerprint}`);
  return [
    record,
    JSON.parse(JSON.stringify(changes).replaceAll(/"(sequence|next)":\d+/g, '"$1":0')) as unknown,
    (await get('/pks/lookup?op=index&options=mr&search=mallory@example.org')).status,
  ];
}
async function newKey({ app, ann }: Sent): Promise<TestKey> {
  const key = await newTestKey('Ann');
  const { status } = await addKey(app, key.armored, ann);
  if (status !== 200) throw new Error(`Expected 200 for a key, got ${status}`);
  return key;
}
async function owned(sent: Sent): Promise<TestKey> {
  const key = await newKey(sent);
  const path = `/v1/keys/${key.fingerprint}`;
  const { text } = (await sent.app.request(`${path}/challenge`, { method: 'POST', token: sent.ann })).body
    .data;
  const json = { signed: await clearSigned(key, text as string) };
  await sent.app.request(`${path}/claim`, { method: 'POST', token: sent.ann, json });
  return key;
}
const hashOf = (text: string): string => createHash('sha256').update(text).digest('hex');

/** A certificate that nobody has sent yet, sent in one of the ways in which they are taken. */
const added =
  (
    path: string,
    by: 'ann' | 'admin',
    how: (armored: string, sent: Sent) => [type: string, body: string | Uint8Array],
  ): Case =>
  async (sent) => {
    const key = await newTestKey('Ann');
    const [type, body] = how(key.armored, sent);
    const answer = await sent.app.request(`${path}?${sent.query}`, {
      method: 'POST',
      token: sent[by],
      headers: { accept: 'application/json', 'content-type': type },
      body,
    });
    return [statusAndBody(answer), await known(sent, key)];
  };
const asForm = (armored: string, { query }: Sent): [string, string] => [
  'application/x-www-form-urlencoded',
  `${query}&${new URLSearchParams({ keytext: armored }).toString()}`,
];
/** The packets of an armored certificate. */
function binaryOf(armored: string): [string, Uint8Array] {
  const [, base64 = ''] = /\n\r?\n([\s\S]+?)\r?\n(?:=[\w+/]{4}\r?\n)?-----END/.exec(armored) ?? [];
  return ['application/pgp-keys', Buffer.from(base64, 'base64')];
}

/** Every route of the keystore that takes a body, or changes something. */
const CASES: Readonly<Record<string, Case>> = {
  'POST /pks/add': added('/pks/add', 'ann', asForm),
  'POST /pks/add (the key itself)': added('/pks/add', 'ann', (armored) => ['application/pgp-keys', armored]),
  'POST /pks/v2/certs': added('/pks/v2/certs', 'ann', binaryOf),
  'POST /v1/keys/import': added('/v1/keys/import', 'admin', binaryOf),
  'POST /v1/keys/:fingerprint/challenge': async (sent) => {
    const key = await newKey(sent);
    const path = `/v1/keys/${key.fingerprint}/challenge?${sent.query}`;
    const answer = await sent.app.request(path, { method: 'POST', token: sent.ann, json: sent.extra() });
    const { text } = answer.body.data as { text: string };
    return [{ status: answer.status, lines: text.split('\n').length }, await known(sent, key)];
  },
  'POST /v1/keys/:fingerprint/claim': async (sent) => {
    const key = await newKey(sent);
    const path = `/v1/keys/${key.fingerprint}`;
    const asked = await sent.app.request(`${path}/challenge`, { method: 'POST', token: sent.ann });
    const json = { ...sent.extra(), signed: await clearSigned(key, asked.body.data.text as string) };
    const answer = await sent.app.request(`${path}/claim?${sent.query}`, {
      method: 'POST',
      token: sent.ann,
      json,
    });
    return [statusAndBody(answer), await known(sent, key)];
  },
  'PUT /v1/keys/:fingerprint/hidden': async (sent) => {
    const key = await owned(sent);
    const json = { ...sent.extra(), hashes: [hashOf('Ann <ann@example.org>')] };
    const path = `/v1/keys/${key.fingerprint}/hidden?${sent.query}`;
    const answer = await sent.app.request(path, { method: 'PUT', token: sent.ann, json });
    return [statusAndBody(answer), await known(sent, key)];
  },
  'PUT /v1/keys/blocked/:fingerprint': async (sent) => {
    const key = await newKey(sent);
    const path = `/v1/keys/blocked/${key.fingerprint}?${sent.query}`;
    const answer = await sent.app.request(path, { method: 'PUT', token: sent.admin, json: sent.extra() });
    return [statusAndBody(answer), await known(sent, key)];
  },
  'PUT /v1/keyrings/:organisation/keys/:fingerprint': async (sent) => {
    const key = await owned(sent);
    const path = `/v1/keyrings/team/keys/${key.fingerprint}?${sent.query}`;
    const answer = await sent.app.request(path, { method: 'PUT', token: sent.ann, json: sent.extra() });
    const all = await sent.app.request('/v1/keyrings/all.asc', { token: sent.admin });
    return [statusAndBody(answer), await known(sent, key), all.status];
  },
  'POST /v1/keys/check': async (sent) => {
    const json = { ...sent.extra(), repair: false };
    const path = `/v1/keys/check?${sent.query}`;
    const { status, body } = await sent.app.request(path, { method: 'POST', token: sent.admin, json });
    return [{ status, problems: body.data.problems as unknown }];
  },
};
/** They take nothing: what is asked for is not offered, or what is. */
const EMPTY = ['POST /pks/hashquery', 'POST /pks/v2/*', 'PUT /pks/v2/*'];

describe('bodies of the keystore', () => {
  let app: StartedApp;
  let sent: Pick<Sent, 'app' | 'ann' | 'admin'>;
  beforeAll(async () => {
    const authority = await TestAuthority.make();
    app = await startApp({
      modules: [KeystoreModule, authority.module()],
      env: { SCS_SERVICES: 'keystore', SCS_AUTH_URL: 'https://localhost:1' },
    });
    const ann = await authority.token({ username: 'ann', organisations: { team: 'owner' } });
    sent = { app, ann, admin: await authority.token({ username: 'root', administrator: true }) };
  });
  afterAll(() => app.stop());

  it('are tested for every route that takes one', () => {
    const taking = routesOf([KeystoreModule])
      .filter(({ method }) => !['GET', 'DELETE', 'OPTIONS'].includes(method))
      .map(({ method, path }) => `${method} ${path}`);
    const tested = new Set([...Object.keys(CASES).map((name) => name.replace(/ \(.*/, '')), ...EMPTY]);
    expect(taking.toSorted()).toEqual([...tested].toSorted());
  });

  it.each(Object.entries(CASES))('%s: fields that no client may set change nothing', async (_, send) => {
    const run = async (extra: Sent['extra']) =>
      comparable(await send({ ...sent, extra, query: asQuery(extra()) }));
    const plain = await run(() => ({}));
    expect((plain as object[])[0]).toMatchObject({ status: 200 });
    expect(await run(() => extraFields(KEPT))).toEqual(plain);
  });
});

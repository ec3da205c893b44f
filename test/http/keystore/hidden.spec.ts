import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { KeystoreModule } from '#apps/keystore/src/keystore.module';
import { type AppAnswer, type StartedApp, startApp } from '../../support/app.js';
import { ReadsSeen, toldApart } from '../../support/hidden.js';
import { addKey, clearSigned, newTestKey } from '../../support/pgp-keys.js';
import { TestAuthority } from '../../support/tokens.js';

const ROUNDS = 120;
const ABSENT = ['absent@example.org', 'nobody@example.org'] as const;
const HIDDEN = 'secret@example.org';

/** A user id that its owner hides is found like one that nobody has. */
describe('a hidden user id', () => {
  let reads: ReadsSeen;
  let app: StartedApp;
  beforeAll(async () => {
    reads = await ReadsSeen.watch();
    const authority = await TestAuthority.make();
    app = await startApp({
      modules: [KeystoreModule, authority.module()],
      env: { SCS_SERVICES: 'keystore', SCS_AUTH_URL: 'https://localhost:1' },
    });
    const token = await authority.token({ username: 'ann' });
    const userIds = [{ name: 'Ann', email: 'ann@example.org' }, { email: HIDDEN }];
    const key = await newTestKey('Ann', { userIds });
    await addKey(app, key.armored, token);
    const path = `/v1/keys/${key.fingerprint}`;
    const post = (end: string, json?: object) =>
      app.request(`${path}/${end}`, { method: 'POST', token, ...(json && { json }) });
    const { text } = (await post('challenge')).body.data as { text: string };
    await post('claim', { signed: await clearSigned(key, text) });
    const { userIds: shown } = (await app.request(path, { token })).body.data as {
      userIds: { text: string; hash: string }[];
    };
    const hash = createHash('sha256')
      .update(shown[1]?.text ?? '')
      .digest('hex');
    const hidden = await app.request(`${path}/hidden`, { method: 'PUT', token, json: { hashes: [hash] } });
    if (hidden.status !== 200) throw new Error(JSON.stringify(hidden.body));
  });
  afterAll(() => app.stop());

  const WAYS: readonly (readonly [string, (address: string) => Promise<AppAnswer>])[] = [
    ['a look-up', (address) => app.request(`/pks/lookup?op=get&search=${address}`)],
    ['an exact look-up', (address) => app.request(`/pks/lookup?op=get&exact=on&search=${address}`)],
    ['a listing', (address) => app.request(`/pks/lookup?op=index&options=mr&search=${address}`)],
    ['HKP v2', (address) => app.request(`/pks/v2/certs/by-identity/${address}`)],
  ];

  it.each(WAYS)('%s: in the same words, after the same work', async (_, ask) => {
    const outcomes = [];
    for (const address of [HIDDEN, ...ABSENT]) {
      let answer: AppAnswer | undefined;
      const done = await reads.of(async () => (answer = await ask(address)));
      const text = JSON.stringify(answer?.body).replace(address, '…');
      outcomes.push({ status: answer?.status, text, done });
    }
    expect(outcomes[0]?.status).toBe(404);
    expect(outcomes[0]).toEqual(outcomes[1]);
    expect(outcomes[2]).toEqual(outcomes[1]);
  });

  it('is there for whoever does not look for it', async () => {
    expect((await app.request('/pks/lookup?op=get&search=ann@example.org')).status).toBe(200);
  });

  it('everything: in the same time', async () => {
    const things = WAYS.map(([name, ask]) => [
      name,
      { hidden: () => ask(HIDDEN), absent: () => ask(ABSENT[0]), control: () => ask(ABSENT[1]) },
    ]);
    expect(await toldApart(Object.fromEntries(things), ROUNDS)).toEqual([]);
  }, 60_000);
});

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { waitForEntries } from '../../support/audit.js';
import { type StartedApp, startApp } from '../../support/app.js';
import { sqliteDatabase } from '../../support/databases.js';
import { nextLook } from './next-look.js';
import { ProbeModule, World } from './world.js';

/** Auth, and another service that asks it over HTTPS. */
let world: World;
let other: StartedApp;
beforeAll(async () => {
  world = await World.start(await sqliteDatabase());
  other = await startApp({
    modules: [ProbeModule],
    env: {
      SCS_SERVICES: 'library',
      SCS_AUTH_URL: world.app.url,
      SCS_TLS_CA_FILE: join(world.app.home, 'tls/ca.pem'),
    },
  });
});
afterAll(async () => {
  await other.stop();
  await world.app.stop();
});

const reasons = async (token: string) =>
  Promise.all(
    [world.app, other].map(async (app) => {
      const { status, body } = await app.request('/v1/probe', { token });
      return status === 200 ? 'accepted' : body.error.reason;
    }),
  );
const adminToken = async () => (await readFile(join(world.app.home, 'admin.token'), 'utf8')).trim();
const retire = (as: { token: string } | { user: string } | 'admin' = 'admin') =>
  world.send('POST', '/signing-keys/retire', { as });

test('only administrators retire the signing keys', async () => {
  const user = await world.user();
  const { token } = await world.token(user);
  for (const as of [{ token }, { user }]) {
    const { status, body } = await retire(as);
    expect([status, body.error.reason]).toEqual([403, 'scope_missing']);
  }
  expect((await world.app.request('/v1/auth/signing-keys/retire', { method: 'POST' })).status).toBe(401);
  expect(await reasons(token)).toEqual(['accepted', 'accepted']);
});

test('all tokens from before end everywhere, new ones are taken, and it is recorded who did it', async () => {
  const user = await world.user();
  const { token } = await world.token(user);
  const before = [token, world.admin];
  for (const one of before) expect(await reasons(one)).toEqual(['accepted', 'accepted']);

  const { status, body } = await retire();
  expect(status).toBe(200);
  await nextLook(other);
  for (const one of before) expect(await reasons(one)).toEqual(['token_invalid', 'token_invalid']);

  const renewed = await adminToken();
  expect(renewed).not.toBe(world.admin);
  expect(await reasons(renewed)).toEqual(['accepted', 'accepted']);
  expect(await reasons((await world.token(user)).token)).toEqual(['accepted', 'accepted']);

  const jwks = await world.app.request('/.well-known/jwks.json');
  expect(jwks.body.keys.map(({ kid }: { kid: string }) => kid)).toEqual([body.data.signs]);
  const query = 'service=auth&action=signing-key.retire&outcome=done';
  const trail = await waitForEntries(world.app, renewed, query, 1);
  expect(trail).toMatchObject([
    {
      subject: { kind: 'signing-key', name: body.data.retired[0] },
      actor: { username: 'admin' },
      address: '127.0.0.1',
    },
  ]);
});

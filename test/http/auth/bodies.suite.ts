import { decodeJwt } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { AuthModule } from '#apps/auth/src/auth.module';
import { Issuer } from '#apps/auth/src/issuer';
import { AUTH_PATHS } from '#libs/contract';
import { systemClock } from '#libs/core';
import { routesOf, ServiceKey } from '#libs/server';
import type { AppAnswer } from '../../support/app.js';
import type { TestDatabase } from '../../support/databases.js';
import { PASSWORD, World } from './world.js';

/** Whatever is kept of accounts, organisations and tokens, and what others call such things. */
const EXTRA = {
  _id: 'a'.repeat(24),
  id: 'a'.repeat(24),
  sub: 'a'.repeat(24),
  jti: 'a'.repeat(24),
  accountId: 'a'.repeat(24),
  tokenId: 'a'.repeat(24),
  organisationId: 'a'.repeat(24),
  passwordHash: 'x',
  kind: 'robot',
  isAdmin: true,
  admin: true,
  createdBy: 'admin',
  createdAt: '1999-01-01T00:00:00Z',
  since: '1999-01-01T00:00:00Z',
  time: '1999-01-01T00:00:00Z',
  expiresAt: '2999-01-01T00:00:00Z',
  exp: 4_000_000_000,
  validUntil: '2999-01-01T00:00:00Z',
  revokedAt: '1999-01-01T00:00:00Z',
  lastUsed: { time: '1999-01-01T00:00:00Z', address: '192.0.2.1', client: 'x' },
  organisations: { all: 'owner' },
  organisation: 'all',
  members: 77,
  owners: 77,
  robots: 77,
  rolesKey: 'x'.repeat(22),
  stateSequence: 1,
  sessionsEnded: 77,
  spreadingSince: '1999-01-01T00:00:00Z',
  act: { sub: 'auth' },
  origin: 'a'.repeat(24),
  ['__proto__']: { administrator: true },
};
/** These are set by some requests, and are too much for the others. */
const RIGHTS = {
  administrator: true,
  disabled: true,
  owner: 'admin',
  role: 'owner',
  username: 'admin',
  name: 'admin',
  scopes: ['admin'],
  scope: 'admin',
  lifetime: 9_999_999,
  email: 'mallory@example.org',
  displayName: 'Mallory',
};

/** Sends a body, and tells everything that could have come of it. */
type Case = (world: World, extra: Record<string, unknown>) => Promise<unknown>;

const answer = async (sent: Promise<AppAnswer>): Promise<unknown> => {
  const { status, body } = await sent;
  return { status, body };
};
const userOf = async (world: World, user: string) => world.expect(world.send('GET', `/users/${user}`));
const withoutRights = (extra: Record<string, unknown>, ...own: string[]) =>
  Object.fromEntries(Object.entries(extra).filter(([name]) => !own.includes(name)));

/** Every route of auth that takes a body. */
const CASES: Readonly<Record<string, Case>> = {
  'POST /v1/auth/users': async (world, extra) => {
    const username = world.newName();
    // An administrator may say all this of a new account; nothing else.
    const settable = ['administrator', 'email', 'displayName'];
    const json = { ...withoutRights(extra, ...settable), username, password: PASSWORD };
    return [await answer(world.send('POST', '/users', { json })), await userOf(world, username)];
  },
  'PATCH /v1/auth/users/:username': async (world, extra) => {
    const user = await world.user();
    const settable = ['administrator', 'disabled', 'email', 'displayName'];
    const json = { ...withoutRights(extra, ...settable), displayName: 'Own Name' };
    return [
      await answer(world.send('PATCH', `/users/${user}`, { as: { user }, json })),
      await userOf(world, user),
    ];
  },
  'PUT /v1/auth/users/:username/password': async (world, extra) => {
    const user = await world.user();
    const json = { ...extra, password: 'another good password' };
    return [
      await answer(world.send('PUT', `/users/${user}/password`, { as: { user }, json })),
      await userOf(world, user),
      (await world.createToken(user, {}, 'another good password')).status,
    ];
  },
  'POST /v1/auth/tokens': async (world, extra) => {
    const user = await world.user();
    const settable = ['username', 'lifetime'];
    const json = { ...withoutRights(extra, ...settable), name: 'test', scopes: ['build'], lifetime: 600 };
    const made = await world.send('POST', '/tokens', { as: { user }, json });
    return [
      await answer(Promise.resolve(made)),
      await world.actor(made.body.data.token),
      await world.expect(world.send('GET', '/tokens', { as: { user } })),
    ];
  },
  'POST /v1/auth/organisations': async (world, extra) => {
    const [name, owner] = [world.newName(), await world.user()];
    const json = { ...withoutRights(extra, 'displayName'), name, owner };
    return [
      await answer(world.send('POST', '/organisations', { json })),
      await world.expect(world.send('GET', `/organisations/${name}/members`)),
    ];
  },
  'PATCH /v1/auth/organisations/:name': async (world, extra) => {
    const owner = await world.user();
    const name = await world.organisation(owner);
    const json = { ...withoutRights(extra, 'disabled'), displayName: 'New' };
    return [
      await answer(world.send('PATCH', `/organisations/${name}`, { as: { user: owner }, json })),
      await world.expect(world.send('GET', `/organisations/${name}/members`)),
    ];
  },
  'PUT /v1/auth/organisations/:name/members/:username': async (world, extra) => {
    const [owner, member] = [await world.user(), await world.user()];
    const name = await world.organisation(owner);
    const path = `/organisations/${name}/members`;
    const json = { ...extra, role: 'reader' };
    return [
      await answer(world.send('PUT', `${path}/${member}`, { as: { user: owner }, json })),
      await world.expect(world.send('GET', path)),
      await userOf(world, member),
      await world.expect(world.send('GET', `/organisations/${name}`)),
    ];
  },
  'POST /v1/auth/organisations/:name/robots': async (world, extra) => {
    const owner = await world.user();
    const name = await world.organisation(owner);
    const path = `/organisations/${name}/robots`;
    const json = { ...withoutRights(extra, 'displayName'), name: 'ci', role: 'reader' };
    const token = { name: 'ci', scopes: ['build'], username: `${name}.ci` };
    return [
      await answer(world.send('POST', path, { as: { user: owner }, json })),
      await world.expect(world.send('GET', path)),
      await world.actor((await world.expect(world.send('POST', '/tokens', { json: token }))).token),
    ];
  },
  'PATCH /v1/auth/organisations/:name/robots/:robot': async (world, extra) => {
    const owner = await world.user();
    const name = await world.organisation(owner);
    const { username, token } = await world.robot(name, 'reader');
    const robot = username.slice(name.length + 1);
    const json = { ...withoutRights(extra, 'role', 'disabled'), displayName: 'New' };
    return [
      await answer(
        world.send('PATCH', `/organisations/${name}/robots/${robot}`, { as: { user: owner }, json }),
      ),
      await world.actor(token),
    ];
  },
  'POST /v1/auth/uses': async (world, extra) => {
    const user = await world.user();
    const [one, two] = [await world.token(user), await world.token(user)];
    const json = { ...extra, tokenId: two.id, address: '192.0.2.9', client: 'x' };
    const { status } = await world.app.request('/v1/auth/uses', { token: one.token, json });
    return [status, await world.expect(world.send('GET', `/tokens?username=${user}`))];
  },
  'POST /v1/auth/token': async (world, extra) => {
    const user = await world.user();
    const { token } = await world.token(user);
    const key = await ServiceKey.open({
      service: 'builder',
      dataFolder: world.app.config.dataFolder('builder'),
      home: world.app.home,
      clock: systemClock,
    });
    const fields = {
      ...Object.fromEntries(
        Object.entries(withoutRights(extra, 'lifetime', 'scope')).map(([name, value]) => [
          name,
          String(value),
        ]),
      ),
      grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
      subject_token: token,
      subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      client_assertion: await key.assertion(world.app.get(Issuer).name),
      audience: 'library',
      scope: 'library:read',
      job: 'a1',
      container: 'a/b/c',
      lifetime: '600',
    };
    const body = new URLSearchParams(fields).toString();
    const exchanged = await world.app.request('/v1/auth/token', { body });
    return [exchanged.status, decodeJwt(exchanged.body.access_token)];
  },
};

/**
 * What is different in each answer anyway: ids, names, times, tokens, keys, and whether the use of a token has been noted yet:
 * that happens beside the requests.
 */
function comparable(value: unknown): unknown {
  return JSON.parse(
    JSON.stringify(value)
      .replaceAll(/eyJ[\w.-]+/g, 'TOKEN')
      .replaceAll(/\b(?!a{24})[0-9a-f]{24}\b/g, 'ID')
      .replaceAll(/\b(?:user|org|ci|new)\d+\b/g, 'NAME')
      .replaceAll(/"rolesKey":"(?!x{22})[\w-]{22}"/g, '"rolesKey":"KEY"')
      .replaceAll(/\b20[234]\d-\d\d-\d\dT[\d:.]+Z/g, 'TIME')
      .replaceAll(/"lastUsed":\{[^}]*"address":"127\.0\.0\.1"[^}]*\}/g, '"lastUsed":null')
      .replaceAll(/"(iat|exp)":1\d{9}\b/g, '"$1":"SECONDS"'),
  );
}

/** A body that carries fields that a client may not set changes nothing, at every route that takes a body. */
export function bodiesSuite(name: string, open: () => Promise<TestDatabase>): void {
  describe(`bodies over ${name}`, () => {
    let database: TestDatabase;
    let world: World;
    beforeAll(async () => {
      database = await open();
      world = await World.start(database);
    });
    afterAll(async () => {
      await world.app.stop();
      await database.stop();
    });

    test('of every route are here', () => {
      // Forms of pages are tested with the pages.
      const taking = routesOf([AuthModule])
        .filter(({ path }) => path.startsWith('/v1/'))
        .filter(({ method }) => !['GET', 'DELETE'].includes(method))
        // It reads none: retire.spec.ts.
        .filter(({ path }) => path !== AUTH_PATHS.retireKeys);
      expect(taking.map(({ method, path }) => `${method} ${path}`).sort()).toEqual(Object.keys(CASES).sort());
    });

    test.each(Object.entries(CASES))(
      '%s: fields that a client may not set change nothing',
      async (_, send) => {
        const plain = comparable(await send(world, {}));
        expect(JSON.stringify(plain)).toContain(JSON.stringify(plain).includes('204') ? '204' : '200');
        expect(comparable(await send(world, { ...EXTRA, ...RIGHTS }))).toEqual(plain);
      },
    );

    test('rights that only an administrator gives are refused as a whole, by name of the scope', async () => {
      const user = await world.user();
      const before = await userOf(world, user);
      for (const right of [{ administrator: true }, { disabled: true }, { administrator: false }]) {
        const json = { ...EXTRA, ...right, displayName: 'Mallory' };
        const { status, body } = await world.send('PATCH', `/users/${user}`, { as: { user }, json });
        expect([status, body.error.reason]).toEqual([403, 'scope_missing']);
      }
      expect(await userOf(world, user)).toEqual(before);
    });
  });
}

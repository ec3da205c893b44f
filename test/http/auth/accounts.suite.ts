import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { AppAnswer } from '../../support/app.js';
import type { TestDatabase } from '../../support/databases.js';
import { PASSWORD, World } from './world.js';

/** What the auth service promises about the accounts of people, over HTTP, on any database. */
export function accountsSuite(name: string, open: () => Promise<TestDatabase>): void {
  describe(`accounts over ${name}`, () => {
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
    const NEW = 'another good password';
    const shortly = ({ status, body }: AppAnswer) => [status, body.error?.reason];

    describe('the own account', () => {
      test('is changed with the password: its name; the e-mail address is taken away', async () => {
        const user = await world.user();
        await world.expect(world.send('PATCH', `/users/${user}`, { json: { email: 'new@example.org' } }));
        const json = { displayName: 'New Name' };
        const changed = await world.expect(world.send('PATCH', `/users/${user}`, { as: { user }, json }));
        expect(changed).toMatchObject({ ...json, email: 'new@example.org' });
        expect(await world.expect(world.send('GET', `/users/${user}`))).toEqual({
          ...changed,
          organisations: {},
        });
        const removed = await world.send('PATCH', `/users/${user}`, { as: { user }, json: { email: '' } });
        expect(removed.body.data).toMatchObject({ email: '', displayName: 'New Name' });
        // What new tokens say.
        const { token } = await world.token(user);
        expect(await world.actor(token)).toMatchObject({ email: '', displayName: 'New Name' });
      });

      test('gets an e-mail address from administrators alone: others believe that it is the own one', async () => {
        const user = await world.user();
        const json = { email: 'somebody.else@example.org' };
        const answer = await world.send('PATCH', `/users/${user}`, { as: { user }, json });
        expect(shortly(answer)).toEqual([403, 'email_by_administrator']);
        expect(await world.expect(world.send('GET', `/users/${user}`))).toMatchObject({ email: '' });
      });

      test('is not changed with a token, whatever it may do', async () => {
        const user = await world.user();
        const { token } = await world.token(user);
        const json = { displayName: 'Mallory' };
        const answer = await world.send('PATCH', `/users/${user}`, { as: { token }, json });
        expect(shortly(answer)).toEqual([403, 'password_needed']);
      });

      test.each([{ administrator: true }, { disabled: false }, { displayName: 'X', administrator: true }])(
        'is refused %j, by name of the scope, and nothing changes',
        async (json) => {
          const user = await world.user();
          const before = await world.expect(world.send('GET', `/users/${user}`));
          const answer = await world.send('PATCH', `/users/${user}`, { as: { user }, json });
          expect(shortly(answer)).toEqual([403, 'scope_missing']);
          expect(answer.body.error.message).toBe('The token lacks the scope admin');
          expect(await world.expect(world.send('GET', `/users/${user}`))).toEqual(before);
        },
      );

      test.each([{ email: 'no address' }, { email: null }, { displayName: '' }, { displayName: 'a\nb' }])(
        'is not changed to %j',
        async (json) => {
          const user = await world.user();
          expect((await world.send('PATCH', `/users/${user}`, { as: { user }, json })).status).toBe(400);
        },
      );
    });

    describe('somebody else’s account', () => {
      test('is not there, for reading, changing and its password', async () => {
        const [alice, bob] = [await world.user(), await world.user()];
        for (const [method, path, json] of [
          ['GET', '', undefined],
          ['PATCH', '', { displayName: 'X' }],
          ['PUT', '/password', { password: NEW }],
        ] as const) {
          const answers = await Promise.all(
            [bob, 'nobody'].map((one) =>
              world.send(method, `/users/${one}${path}`, { as: { user: alice }, json }),
            ),
          );
          expect(answers.map(({ status }) => status)).toEqual([404, 404]);
          expect(answers[0]?.body).toEqual(answers[1]?.body);
        }
        expect((await world.createToken(bob)).status).toBe(200);
      });
    });

    describe('administrators', () => {
      const rank = (user: string, administrator: boolean) =>
        world.send('PATCH', `/users/${user}`, { json: { administrator } });

      test('are made and unmade; tokens follow at once', async () => {
        const user = await world.user();
        expect((await rank(user, true)).body.data.administrator).toBe(true);
        const { token } = await world.token(user, { scopes: ['admin'] });
        expect((await world.send('GET', '/users', { as: { token } })).status).toBe(200);
        expect((await rank(user, false)).status).toBe(200);
        const refused = await world.send('GET', '/users', { as: { token } });
        expect(shortly(refused)).toEqual([403, 'scope_missing']);
        expect((await world.actor(token)).administrator).toBe(false);
        // The rank comes back, and with it what the scope allows.
        await rank(user, true);
        expect((await world.send('GET', '/users', { as: { token } })).status).toBe(200);
      });

      test('cannot take the rank from the account in use', async () => {
        expect(shortly(await rank('admin', false))).toEqual([422, 'own_account']);
      });

      test('who demote each other at the same time leave one', async () => {
        const [one, two] = [await world.user(), await world.user()];
        await Promise.all([rank(one, true), rank(two, true)]);
        const demote = (by: string, whom: string) =>
          world.send('PATCH', `/users/${whom}`, { as: { user: by }, json: { administrator: false } });
        const answers = await Promise.all([demote(one, two), demote(two, one)]);
        expect(answers.map(({ status }) => String(status)).sort()).toEqual(['200', '403']);
        const left = await Promise.all(
          [one, two].map((user) => world.expect(world.send('GET', `/users/${user}`))),
        );
        expect(left.filter(({ administrator }) => administrator)).toHaveLength(1);
      });
    });

    describe('a password', () => {
      const change = (
        user: string,
        json: object,
        as: 'admin' | { user: string } | { token: string } = { user },
      ) => world.send('PUT', `/users/${user}/password`, { as, json: { password: NEW, ...json } });
      const signIn = async (user: string, password: string) =>
        (await world.createToken(user, {}, password)).status;

      test('is changed with the old one; tokens stay', async () => {
        const user = await world.user();
        const { token } = await world.token(user);
        expect((await change(user, {})).status).toBe(200);
        expect([await signIn(user, PASSWORD), await signIn(user, NEW)]).toEqual([401, 200]);
        expect(await world.statusOf(token)).toBe(200);
      });

      test('is changed with the old one, and all tokens end where that is asked for, whatever came from them', async () => {
        const user = await world.user();
        const tokens = await Promise.all([1, 2, 3].map(() => world.token(user)));
        const head = async () =>
          (await world.app.request('/v1/auth/revocations?after=0')).body.data.signed as string;
        const before = await head();
        expect((await change(user, { revokeTokens: true })).status).toBe(200);
        for (const { token } of tokens)
          expect((await world.app.request('/v1/probe', { token })).body.error.reason).toBe('token_revoked');
        expect(await head()).not.toBe(before);
        const { token } = (await world.createToken(user, {}, NEW)).body.data;
        expect(await world.statusOf(token)).toBe(200);
      });

      test('is not changed with a token', async () => {
        const user = await world.user();
        const { token } = await world.token(user);
        expect(shortly(await change(user, {}, { token }))).toEqual([403, 'password_needed']);
        expect(await signIn(user, PASSWORD)).toBe(200);
      });

      test('is reset by an administrator, who ends the tokens unless told otherwise', async () => {
        const [one, two] = [await world.user(), await world.user()];
        const [first, second] = [await world.token(one), await world.token(two)];
        expect((await change(one, {}, 'admin')).status).toBe(200);
        expect((await change(two, { revokeTokens: false }, 'admin')).status).toBe(200);
        expect([await world.statusOf(first.token), await world.statusOf(second.token)]).toEqual([404, 200]);
        expect([await signIn(one, NEW), await signIn(two, NEW)]).toEqual([200, 200]);
      });

      test.each([{ password: 'short' }, { password: 'x'.repeat(257) }, { password: 12345678901 }, {}])(
        'is not taken: %j',
        async (json) => {
          const user = await world.user();
          const answer = await world.send('PUT', `/users/${user}/password`, { as: { user }, json });
          expect(answer.status).toBe(400);
        },
      );

      test('that is changed while it is used makes no token, and the change misses none', async () => {
        const user = await world.user();
        const [made] = await Promise.all([
          Promise.all([1, 2, 3, 4].map(() => world.createToken(user))),
          change(user, { revokeTokens: true }),
        ]);
        // Each was too late, or ended with the others.
        for (const { status, body } of made) {
          const outcome =
            status === 200 ? await world.statusOf(body.data.token) : [status, body.error.reason];
          expect([404, [401, 'password_wrong']]).toContainEqual(outcome);
        }
      });

      test('is counted when it is wrong, here as elsewhere, and says how long to wait', async () => {
        const user = await world.user();
        const headers = world.basic(user, 'not the password');
        const path = `/v1/auth/users/${user}/password`;
        const send = () => world.app.request(path, { method: 'PUT', headers, json: { password: NEW } });
        for (let one = 0; one < 5; one += 1) expect((await send()).status).toBe(401);
        const answer = await send();
        expect(answer.status).toBe(429);
        expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0);
        // Also the right one has to wait.
        expect((await change(user, {})).status).toBe(429);
      });
    });

    describe('names', () => {
      test('are one name space, and are never given twice', async () => {
        const user = await world.user();
        const organisation = await world.organisation(user);
        const json = (username: string) => ({ username, password: PASSWORD });
        const taken = await world.send('POST', '/users', { json: json(organisation) });
        expect(shortly(taken)).toEqual([409, 'name_taken']);
        for (const name of [user, organisation, 'admin']) {
          const answer = await world.send('POST', '/organisations', { json: { name, owner: user } });
          expect(shortly(answer)).toEqual([409, 'name_taken']);
        }
        await world.send('PATCH', `/users/${user}`, { json: { disabled: true } });
        expect(shortly(await world.send('POST', '/users', { json: json(user) }))).toEqual([
          409,
          'name_taken',
        ]);
      });

      test('that are asked for at the same time go to one', async () => {
        const user = await world.user();
        const answers = await Promise.all([
          world.send('POST', '/users', { json: { username: 'wanted', password: PASSWORD } }),
          world.send('POST', '/organisations', { json: { name: 'wanted', owner: user } }),
          world.send('POST', '/users', { json: { username: 'wanted', password: PASSWORD } }),
        ]);
        expect(answers.map(({ status }) => String(status)).sort()).toEqual(['200', '409', '409']);
      });
    });
  });
}

import { decodeJwt } from 'jose';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { AUTH_LIMITS } from '#apps/auth/src/limits';
import { OrganisationsStore } from '#apps/auth/src/organisations.store';
import { RevocationsStore } from '#apps/auth/src/revocations.store';
import { SpreadService } from '#apps/auth/src/spread.service';
import { SessionsService } from '#apps/auth/src/sessions.service';
import { sweep } from '#apps/auth/src/sweep';
import { TokensStore } from '#apps/auth/src/tokens.store';
import { RevocationFeed } from '#libs/contract';
import { ManualClock } from '#libs/core';
import type { AppAnswer } from '../../support/app.js';
import type { TestDatabase } from '../../support/databases.js';
import { PASSWORD, World } from './world.js';

/** What the auth service promises about organisations, members and robots, over HTTP, on any database. */
export function organisationsSuite(name: string, open: () => Promise<TestDatabase>): void {
  describe(`organisations over ${name}`, () => {
    let database: TestDatabase;
    let world: World;
    let owner: string;
    let member: string;
    let org: string;
    beforeAll(async () => {
      database = await open();
      world = await World.start(database);
    });
    afterAll(async () => {
      await world.app.stop();
      await database.stop();
    });
    beforeEach(async () => {
      [owner, member] = [await world.user(), await world.user()];
      org = await world.organisation(owner, { [member]: 'writer' });
    });
    const shortly = ({ status, body }: AppAnswer) => [status, body.error?.reason];
    const rolesOf = async (token: string) => (await world.actor(token)).organisations;
    const set = (user: string, role: string, as: 'admin' | { user: string } = { user: owner }) =>
      world.send('PUT', `/organisations/${org}/members/${user}`, { as, json: { role } });
    const remove = (user: string, as: 'admin' | { user: string } = { user: owner }) =>
      world.send('DELETE', `/organisations/${org}/members/${user}`, { as });
    /** The whole feed, page by page, as anybody may read it. */
    const feed = async (): Promise<RevocationFeed['entries']> => {
      const entries: RevocationFeed['entries'] = [];
      let after = 0;
      for (;;) {
        const { body } = await world.app.request(`/v1/auth/revocations?after=${after}`);
        const page = RevocationFeed.parse(decodeJwt(body.data.signed));
        entries.push(...page.entries);
        const last = page.entries.at(-1);
        if (last === undefined || last.sequence >= page.head) return entries;
        after = last.sequence;
      }
    };

    describe('an organisation', () => {
      test('is made by administrators, with its first owner', async () => {
        const made = await world.expect(
          world.send('POST', '/organisations', {
            json: { name: 'physics', displayName: 'Physics', owner },
          }),
        );
        expect(made).toMatchObject({
          name: 'physics',
          displayName: 'Physics',
          disabled: false,
          members: 1,
          role: null,
        });
        const json = { name: 'chemistry', owner };
        for (const as of [{ user: owner }, await world.token(owner)])
          expect(shortly(await world.send('POST', '/organisations', { as, json }))).toEqual([
            403,
            'scope_missing',
          ]);
        const nobody = await world.send('POST', '/organisations', { json: { ...json, owner: 'nobody' } });
        expect(shortly(nobody)).toEqual([404, 'user_not_found']);
        // And the name was not taken by the attempt.
        expect((await world.send('POST', '/organisations', { json })).status).toBe(200);
      });

      test.each(['A', 'a', 'a/b', '$where', 'library', 'x'.repeat(41)])('is not called %j', async (bad) => {
        const answer = await world.send('POST', '/organisations', { json: { name: bad, owner } });
        expect(bad === 'library' ? 422 : 400).toBe(answer.status);
      });

      test('is seen by its members, with their role, and by nobody else', async () => {
        const path = `/organisations/${org}`;
        const own = await world.expect(world.send('GET', path, { as: await world.token(member) }));
        expect(own).toMatchObject({ name: org, role: 'writer', members: 2 });
        const stranger = await world.user();
        for (const [method, below, json] of [
          ['GET', '', undefined],
          ['PATCH', '', { displayName: 'X' }],
          ['GET', '/members', undefined],
          ['PUT', `/members/${stranger}`, { role: 'owner' }],
          ['DELETE', `/members/${stranger}`, undefined],
          ['GET', '/robots', undefined],
          ['POST', '/robots', { name: 'ci', role: 'writer' }],
          ['PATCH', '/robots/ci', { disabled: true }],
        ] as const) {
          const answers = await Promise.all(
            [org, 'nothing'].map((one) =>
              world.send(method, `/organisations/${one}${below}`, { as: { user: stranger }, json }),
            ),
          );
          expect([method, below, answers[0]?.status]).toEqual([method, below, 404]);
          expect(answers[0]?.body).toEqual(answers[1]?.body);
        }
      });

      test('is renamed for people by its owners, with their password', async () => {
        const change = (as: 'admin' | { user: string } | { token: string }) =>
          world.send('PATCH', `/organisations/${org}`, { as, json: { displayName: 'New' } });
        expect((await change({ user: owner })).body.data.displayName).toBe('New');
        expect(shortly(await change(await world.token(owner)))).toEqual([403, 'password_needed']);
        expect(shortly(await change({ user: member }))).toEqual([403, 'owner_needed']);
      });

      test('is listed: the own ones for members, all for administrators, page by page', async () => {
        const second = await world.organisation(owner);
        const names = async (query: string, as: 'admin' | { user: string } = { user: owner }) => {
          const { body } = await world.send('GET', `/organisations?${query}`, { as });
          return [body.data.map((one: { name: string }) => one.name), body.page?.next];
        };
        expect(await names('')).toEqual([[org, second].sort(), undefined]);
        const [first, cursor] = await names('limit=1');
        const [rest, end] = await names(`limit=1&cursor=${encodeURIComponent(cursor)}`);
        expect([...first, ...rest, end]).toEqual([...[org, second].sort(), undefined]);
        expect((await names('', 'admin'))[0]).toEqual(expect.arrayContaining([org, second]));
        expect((await names('', { user: await world.user() }))[0]).toEqual([]);
      });
    });

    describe('members', () => {
      test('have their role where they ask, and lose it when they are removed', async () => {
        const { token } = await world.token(member);
        expect(await rolesOf(token)).toEqual({ [org]: 'writer' });
        expect((await set(member, 'reader')).body.data).toMatchObject({ username: member, role: 'reader' });
        expect(await rolesOf(token)).toEqual({ [org]: 'reader' });
        expect((await remove(member)).body.data).toMatchObject({ username: member, role: 'reader' });
        expect(await rolesOf(token)).toEqual({});
        expect(shortly(await remove(member))).toEqual([404, 'member_not_found']);
        // Joining works as fast, for a token that was made before.
        expect((await set(member, 'owner')).status).toBe(200);
        expect(await rolesOf(token)).toEqual({ [org]: 'owner' });
      });

      test('are listed for each other, by name, page by page', async () => {
        const { token } = await world.token(member);
        const first = await world.send('GET', `/organisations/${org}/members?limit=1`, { as: { token } });
        expect(first.body.data).toEqual([{ username: owner, role: 'owner', since: expect.any(String) }]);
        const cursor = encodeURIComponent(first.body.page.next);
        const rest = await world.send('GET', `/organisations/${org}/members?limit=1&cursor=${cursor}`);
        expect(rest.body.data).toMatchObject([{ username: member, role: 'writer' }]);
        expect(rest.body.page).toBeUndefined();
      });

      test('are managed by owners with their password, and by nobody else', async () => {
        const path = `/organisations/${org}/members/${await world.user()}`;
        const json = { role: 'reader' };
        const by = (as: 'admin' | { user: string } | { token: string }) =>
          world.send('PUT', path, { as, json });
        expect(shortly(await by({ user: member }))).toEqual([403, 'owner_needed']);
        expect(shortly(await by(await world.token(owner)))).toEqual([403, 'password_needed']);
        expect((await by({ user: owner })).status).toBe(200);
        expect(shortly(await world.send('DELETE', path, { as: { user: member } }))).toEqual([
          403,
          'owner_needed',
        ]);
      });

      test('may leave, with their password', async () => {
        const { token } = await world.token(member);
        const path = `/organisations/${org}/members/${member}`;
        expect(shortly(await world.send('DELETE', path, { as: { token } }))).toEqual([
          403,
          'password_needed',
        ]);
        expect((await remove(member, { user: member })).status).toBe(200);
        expect(await rolesOf(token)).toEqual({});
      });

      test('without an owner there is none: the last one stays, also when two leave at once', async () => {
        expect(shortly(await remove(owner))).toEqual([422, 'last_owner']);
        expect(shortly(await set(owner, 'writer', 'admin'))).toEqual([422, 'last_owner']);
        await set(member, 'owner');
        const answers = await Promise.all([remove(owner, { user: owner }), remove(member, { user: member })]);
        expect(answers.map(({ status }) => String(status)).sort()).toEqual(['200', '422']);
        const { body } = await world.send('GET', `/organisations/${org}/members`);
        expect(body.data).toMatchObject([{ role: 'owner' }]);
      });

      test('that are added at the same time are all there, and counted', async () => {
        const users = await Promise.all(Array.from({ length: 8 }, () => world.user()));
        const answers = await Promise.all(users.map((user) => set(user, 'reader', 'admin')));
        expect(answers.map(({ status }) => status)).toEqual(users.map(() => 200));
        expect((await world.expect(world.send('GET', `/organisations/${org}`))).members).toBe(10);
        for (const user of users)
          expect((await world.expect(world.send('GET', `/users/${user}`))).organisations).toEqual({
            [org]: 'reader',
          });
      });

      test('of several organisations have a role in each', async () => {
        const other = await world.organisation(member);
        const { token } = await world.token(member);
        expect(await rolesOf(token)).toEqual({ [org]: 'writer', [other]: 'owner' });
        await remove(member);
        expect(await rolesOf(token)).toEqual({ [other]: 'owner' });
        const status = await world.app.request('/v1/token-status', { token });
        expect(status.body.data).toMatchObject({ username: member, organisations: { [other]: 'owner' } });
      });

      test('are people, and people who are there', async () => {
        for (const one of ['nobody', org])
          expect(shortly(await set(one, 'reader'))).toEqual([404, 'user_not_found']);
        expect((await set(member, 'king')).status).toBe(400);
      });
    });

    describe('a disabled organisation', () => {
      const disable = (disabled: boolean, as: 'admin' | { user: string } = 'admin') =>
        world.send('PATCH', `/organisations/${org}`, { as, json: { disabled } });

      test('gives nobody a role, and gives them back', async () => {
        const other = await world.organisation(owner);
        const robot = await world.robot(org);
        const [one, two] = [await world.token(owner), await world.token(member)];
        expect((await disable(true)).body.data.disabled).toBe(true);
        expect(await rolesOf(one.token)).toEqual({ [other]: 'owner' });
        expect(await rolesOf(two.token)).toEqual({});
        expect(await rolesOf(robot.token)).toEqual({});
        expect((await world.send('GET', `/organisations/${org}`, { as: { user: owner } })).status).toBe(404);
        // Whoever is made a member now has no role either.
        const late = await world.user();
        expect((await set(late, 'writer', 'admin')).status).toBe(200);
        expect(await rolesOf((await world.token(late)).token)).toEqual({});
        expect((await disable(false)).status).toBe(200);
        expect(await rolesOf(one.token)).toEqual({ [other]: 'owner', [org]: 'owner' });
        expect(await rolesOf(two.token)).toEqual({ [org]: 'writer' });
        expect(await rolesOf(robot.token)).toEqual({ [org]: 'writer' });
        expect(await rolesOf((await world.token(late)).token)).toEqual({ [org]: 'writer' });
      });

      test('is that for administrators to say', async () => {
        expect(shortly(await disable(true, { user: owner }))).toEqual([403, 'scope_missing']);
      });

      test('is told to everybody by the next start, when a crash came between', async () => {
        const { token } = await world.token(member);
        // What the first commit leaves: disabled, nobody told.
        const store = world.app.get(OrganisationsStore);
        const stored = await store.find(org);
        if (stored === undefined) throw new Error('There is no organisation');
        const value = { ...stored.value, disabled: true, spreadingSince: new Date().toISOString() };
        await world.app.get(RevocationsStore).commit(async () => ({
          announcements: [],
          writes: [store.change(stored, value)],
        }));
        expect(await rolesOf(token)).toEqual({ [org]: 'writer' });
        await world.app.get(SpreadService).finish();
        expect(await rolesOf(token)).toEqual({});
        expect(await store.spreading(10)).toEqual([]);
      });

      test('with more robots than one commit holds reaches all of them', async () => {
        const ids: string[] = [];
        // A commit of the stand-in reads before each write, and looks through everything for it.
        const most = name === 'SQLite' ? AUTH_LIMITS.spreadBatch : 10;
        for (let one = 0; one <= most; one += 1) {
          const json = { name: `ci${one}`, role: 'reader' };
          ids.push((await world.expect(world.send('POST', `/organisations/${org}/robots`, { json }))).id);
        }
        const told = async () => {
          const states = new Map((await feed()).map((entry) => [entry.id, entry]));
          return ids.filter((id) => Object.hasOwn(states.get(id) ?? {}, 'organisations'));
        };
        expect(await told()).toEqual(ids);
        await world.expect(disable(true));
        expect(await told()).toEqual([]);
        await world.expect(disable(false));
        expect(await told()).toEqual(ids);
      });
    });

    describe('robots', () => {
      const create = (json: object, as: 'admin' | { user: string } | { token: string } = { user: owner }) =>
        world.send('POST', `/organisations/${org}/robots`, {
          as,
          json: { name: 'ci', role: 'writer', ...json },
        });
      const change = (json: object, as: 'admin' | { user: string } = { user: owner }) =>
        world.send('PATCH', `/organisations/${org}/robots/ci`, { as, json });
      const tokenFor = (as: 'admin' | { user: string } | { token: string }, scopes = ['library:write']) =>
        world.send('POST', '/tokens', { as, json: { name: 'ci', scopes, username: `${org}.ci` } });

      test('are made by owners with their password, and have a role and a name of the organisation', async () => {
        expect(shortly(await create({}, { user: member }))).toEqual([403, 'owner_needed']);
        expect(shortly(await create({}, await world.token(owner)))).toEqual([403, 'password_needed']);
        const made = await world.expect(create({}));
        expect(made).toMatchObject({
          username: `${org}.ci`,
          organisation: org,
          role: 'writer',
          disabled: false,
        });
        expect(shortly(await create({}))).toEqual([409, 'name_taken']);
        const listed = await world.expect(
          world.send('GET', `/organisations/${org}/robots`, { as: await world.token(owner) }),
        );
        expect(listed).toEqual([made]);
        const hidden = await world.send('GET', `/organisations/${org}/robots`, { as: { user: member } });
        expect(shortly(hidden)).toEqual([403, 'owner_needed']);
      });

      test.each([
        { role: 'owner' },
        { name: 'a.b' },
        { name: '' },
        { name: 'x'.repeat(24) },
        { role: undefined },
      ])('are not made with %j', async (json) => {
        expect((await create(json)).status).toBe(400);
      });

      test('get tokens from owners and administrators, and work with them', async () => {
        await create({ role: 'reader' });
        expect(shortly(await tokenFor({ user: member }))).toEqual([403, 'not_yours']);
        expect(shortly(await tokenFor(await world.token(owner)))).toEqual([403, 'password_needed']);
        expect(shortly(await tokenFor({ user: owner }, ['admin']))).toEqual([403, 'scope_not_grantable']);
        const made = await world.expect(tokenFor({ user: owner }));
        expect(made.username).toBe(`${org}.ci`);
        expect(await world.actor(made.token)).toMatchObject({
          kind: 'robot',
          username: `${org}.ci`,
          administrator: false,
          organisations: { [org]: 'reader' },
        });
        expect((await tokenFor('admin')).status).toBe(200);
        // An owner sees and ends them; nobody else does.
        const list = `/tokens?username=${org}.ci`;
        expect((await world.send('GET', list, { as: { user: owner } })).body.data).toHaveLength(2);
        expect(shortly(await world.send('GET', list, { as: { user: member } }))).toEqual([403, 'not_yours']);
        const end = (user: string) => world.send('DELETE', `/tokens/${made.id}`, { as: { user } });
        expect(shortly(await end(member))).toEqual([404, 'token_not_found']);
        expect((await end(owner)).status).toBe(200);
        expect(await world.statusOf(made.token)).toBe(404);
      });

      test('cannot make tokens, sign in, or be members', async () => {
        await create({});
        const { token } = await world.expect(tokenFor({ user: owner }));
        const more = await world.send('POST', '/tokens', {
          as: { token },
          json: { name: 'x', scopes: ['build'] },
        });
        expect(shortly(more)).toEqual([403, 'password_needed']);
        expect((await world.createToken(`${org}.ci`)).status).toBe(401);
        expect(shortly(await set(`${org}.ci`, 'owner'))).toEqual([404, 'user_not_found']);
        const password = await world.send('PUT', `/users/${org}.ci/password`, {
          json: { password: PASSWORD },
        });
        expect(shortly(password)).toEqual([404, 'user_not_found']);
      });

      test('change their role and are disabled, which their tokens follow', async () => {
        await create({});
        const { token } = await world.expect(tokenFor({ user: owner }));
        expect((await change({ role: 'reader', displayName: 'CI' })).body.data).toMatchObject({
          role: 'reader',
          displayName: 'CI',
        });
        expect(await rolesOf(token)).toEqual({ [org]: 'reader' });
        expect((await change({ disabled: true })).body.data.disabled).toBe(true);
        expect((await world.app.request('/v1/probe', { token })).body.error.reason).toBe('account_disabled');
        expect(shortly(await tokenFor({ user: owner }))).toEqual([422, 'account_disabled']);
        await change({ disabled: false });
        expect(await rolesOf(token)).toEqual({ [org]: 'reader' });
        expect(shortly(await change({ disabled: true }, { user: member }))).toEqual([403, 'owner_needed']);
      });

      test('of a name that is somebody’s are not there, and tokens of that somebody are nobody’s business', async () => {
        const username = `${org}.anna`;
        await world.expect(world.send('POST', '/users', { json: { username, password: PASSWORD } }));
        const other = `${org}.nobody`;
        for (const json of [
          { name: 'x', scopes: ['build'], username },
          { name: 'x', scopes: ['build'], username: other },
        ])
          expect(shortly(await world.send('POST', '/tokens', { as: { user: owner }, json }))).toEqual([
            404,
            'user_not_found',
          ]);
        const lists = await Promise.all(
          [username, other].map((one) =>
            world.send('GET', `/tokens?username=${one}`, { as: { user: owner } }),
          ),
        );
        expect(lists.map(({ status }) => status)).toEqual([404, 404]);
        expect(lists[0]?.body).toEqual(lists[1]?.body);
        const renamed = await world.send('PATCH', `/organisations/${org}/robots/anna`, {
          as: { user: owner },
          json: { disabled: true },
        });
        expect(shortly(renamed)).toEqual([404, 'robot_not_found']);
      });
    });

    describe('the feed', () => {
      test('tells anybody neither names nor roles', async () => {
        const text = JSON.stringify(await feed());
        for (const secret of [org, owner, member, 'writer', 'owner']) expect(text).not.toContain(secret);
      });

      test('keeps one entry of each account in force; older ones are swept when nobody can be reading them', async () => {
        const { id } = await world.expect(world.send('GET', `/users/${member}`));
        const entries = async () =>
          (await feed()).filter((entry) => entry.kind === 'account' && entry.id === id);
        for (const role of ['reader', 'writer', 'owner', 'reader']) await set(member, role);
        const before = await entries();
        expect(before.length).toBeGreaterThan(1);
        const revocations = world.app.get(RevocationsStore);
        const tokens = world.app.get(TokensStore);
        const sessions = world.app.get(SessionsService);
        const sweepAt = (seconds: number) =>
          sweep({
            revocations,
            tokens,
            sessions,
            clock: new ManualClock(new Date(Date.now() + seconds * 1000)),
          });
        await sweepAt(0);
        expect(await entries()).toEqual(before);
        await sweepAt(3600);
        expect(await entries()).toEqual(before.slice(-1));
        // A service that starts now knows the same.
        const { token } = await world.token(member);
        expect(await rolesOf(token)).toEqual({ [org]: 'reader' });
        await set(member, 'writer');
        expect(await rolesOf(token)).toEqual({ [org]: 'writer' });
      });
    });
  });
}

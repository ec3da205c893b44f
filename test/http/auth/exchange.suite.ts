import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { decodeJwt } from 'jose';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { ManualClock } from '#libs/core';
import { ACCESS_LIMITS, TokenUses, TokenVerifier } from '#libs/server';
import type { AppAnswer } from '../../support/app.js';
import type { TestDatabase } from '../../support/databases.js';
import { CONTAINER, Exchanging } from './exchanging.js';
import { nextLook } from './next-look.js';

/** What an exchanged token is, and what is refused, on any database. */
export function exchangeSuite(name: string, open: () => Promise<TestDatabase>): void {
  describe(`token exchange over ${name}`, () => {
    let setting: Exchanging;
    let world: Exchanging['world'];
    let builder: Exchanging['builder'];
    let alice: string;
    beforeAll(async () => {
      setting = await Exchanging.start(await open());
      ({ world, builder, alice } = setting);
    });
    afterAll(() => setting.stop());

    const exchange = (token: string, changes: object = {}) => setting.exchange(token, changes);
    const refusal = (changes: Record<string, string | undefined>, scopes?: string[]) =>
      setting.refusal(changes, scopes);
    const reasonOf = ({ status, body }: AppAnswer) => [status, body.error?.reason];

    describe('an exchanged token', () => {
      test('has fewer rights, one audience and one subject, and says where it comes from', async () => {
        const { id, token } = await world.token(alice);
        const exchanged = await exchange(token);
        const { status, body } = await world.app.request('/v1/probe', { token: exchanged.token });
        expect(status).toBe(200);
        expect(body.data).toMatchObject({
          username: alice,
          scopes: [`library:write:${CONTAINER}`, 'library:read'],
          originTokenId: id,
          via: 'builder',
          subject: { job: 'a1b2', container: CONTAINER },
          administrator: false,
        });
        expect(body.data.tokenId).not.toBe(id);
      });

      test('has no rank of an administrator, whatever its account is and becomes', async () => {
        const carol = await world.user();
        await world.expect(world.send('PATCH', `/users/${carol}`, { json: { administrator: true } }));
        const { token } = await world.token(carol, { scopes: ['library:write', 'library:read', 'admin'] });
        expect((await world.actor(token)).administrator).toBe(true);
        const exchanged = await exchange(token);
        expect((await world.actor(exchanged.token)).administrator).toBe(false);
        await world.expect(world.send('PATCH', `/users/${carol}`, { json: { administrator: false } }));
        await world.expect(world.send('PATCH', `/users/${carol}`, { json: { administrator: true } }));
        expect((await world.actor(exchanged.token)).administrator).toBe(false);
        expect((await world.app.request('/v1/audit', { token: exchanged.token })).status).toBe(401);
      });

      test('is refused by every route that does not name its audience', async () => {
        const { id, token: origin } = await world.token(alice);
        const { token } = await exchange(origin);
        const asked: readonly (readonly [string, string])[] = [
          ['GET', '/v1/other'],
          ['GET', '/v1/auth/tokens'],
          ['DELETE', `/v1/auth/tokens/${id}`],
          ['GET', '/v1/rbac/users/current'],
          ['GET', `/v1/auth/users/${alice}`],
        ];
        for (const [method, path] of asked)
          expect([path, ...reasonOf(await world.app.request(path, { method, token }))]).toEqual([
            path,
            401,
            'wrong_audience',
          ]);
        expect(await world.statusOf(token)).toBe(404);
      });

      test('outlives the token it came from', async () => {
        const { token } = await world.token(alice, { lifetime: 60 });
        const { expiresAt } = await exchange(token, { lifetime: 7200 });
        expect(expiresAt.getTime() - Date.now()).toBeGreaterThan(7_000_000);
      });

      test('dies with the token it came from, in every process, within a second', async () => {
        const { id, token } = await world.token(alice);
        const { token: exchanged } = await exchange(token);
        expect((await builder.request('/v1/probe', { token: exchanged })).status).toBe(200);
        await setting.revoke(id);
        const looked = nextLook(builder);
        for (const app of [world.app, builder]) {
          if (app === builder) await looked;
          const { body } = await app.request('/v1/probe', { token: exchanged });
          expect(body.error.reason).toBe('token_revoked');
        }
        expect(ACCESS_LIMITS.feedPollMs).toBeLessThan(1_000);
      });

      test('dies with the account', async () => {
        const bob = await world.user();
        const { token } = await exchange((await world.token(bob)).token);
        const json = { disabled: true };
        await world.app.request(`/v1/auth/users/${bob}`, { method: 'PATCH', token: world.admin, json });
        expect((await world.app.request('/v1/probe', { token })).body.error.reason).toBe('account_disabled');
      });

      test('has the present roles of its account, also a robot’s, and loses them with it', async () => {
        const [owner, member] = [await world.user(), await world.user()];
        const org = await world.organisation(owner, { [member]: 'writer' });
        const robot = await world.robot(org);
        const tokens = [
          (await exchange((await world.token(member)).token)).token,
          (await exchange(robot.token, { scopes: ['library:write'] })).token,
        ];
        const roles = () =>
          Promise.all(tokens.map(async (token) => (await world.actor(token)).organisations));
        expect(await roles()).toEqual([{ [org]: 'writer' }, { [org]: 'writer' }]);
        await world.expect(world.send('DELETE', `/organisations/${org}/members/${member}`));
        expect(await roles()).toEqual([{}, { [org]: 'writer' }]);
        await world.expect(world.send('PATCH', `/organisations/${org}`, { json: { disabled: true } }));
        expect(await roles()).toEqual([{}, {}]);
      });

      test('counts as a use of the token that it came from, reported by whoever was asked', async () => {
        const { id, token } = await world.token(alice);
        const { token: exchanged } = await exchange(token);
        const headers = { 'user-agent': 'worker/1.0' };
        expect((await builder.request('/v1/probe', { token: exchanged, headers })).status).toBe(200);
        await builder.get(TokenUses).flush();
        const tokens = await world.expect(world.send('GET', `/tokens?username=${alice}`));
        expect(tokens.find((one: { id: string }) => one.id === id).lastUsed).toMatchObject({
          address: '127.0.0.1',
          client: 'worker/1.0',
        });
      });

      test('cannot be exchanged again', async () => {
        const { token } = await exchange((await world.token(alice)).token);
        const answer = await setting.form(token, { scope: `library:write:${CONTAINER}` });
        expect(reasonOf(answer)).toEqual([403, 'already_exchanged']);
        // Neither for less than it allows, nor for another job, nor at another service.
        for (const changes of [{ scope: 'library:read', lifetime: '1' }, { job: 'c3d4' }])
          expect(reasonOf(await setting.form(token, changes))).toEqual([403, 'already_exchanged']);
        const elsewhere = await setting.form(token, { audience: 'builder', scope: 'build' });
        expect(reasonOf(elsewhere)).toEqual([401, 'wrong_audience']);
      });
    });

    describe('an exchange is refused', () => {
      test('without a subject token: the service alone is nobody', async () => {
        expect(await refusal({ subject_token: undefined })).toEqual([400, 'bad_request']);
        expect(await refusal({ subject_token: '' })).toEqual([400, 'bad_request']);
        for (const audience of ['auth', 'builder'] as const) {
          const assertion = await setting.proof(setting.key, audience);
          expect((await world.app.request('/v1/probe', { token: assertion })).status).toBe(401);
          expect((await setting.form(assertion)).status).toBe(401);
          expect((await builder.request('/v1/probe', { token: assertion })).status).toBe(401);
        }
      });

      test('of what else this instance has signed', async () => {
        const { body } = await world.app.request('/v1/auth/revocations');
        expect(reasonOf(await setting.form(body.data.signed))).toEqual([401, 'token_invalid']);
        expect(reasonOf(await setting.form('x.y.z'))).toEqual([401, 'token_invalid']);
      });

      test('for a service that is in no table', async () => {
        for (const service of ['keystore', 'worker'] as const) {
          const client_assertion = await setting.proof(await setting.keyOf(service));
          expect(await refusal({ client_assertion })).toEqual([403, 'exchange_not_allowed']);
        }
      });

      test.each([
        [
          'for another audience',
          { audience: 'keystore', scope: 'keystore:write' },
          [403, 'exchange_not_allowed'],
        ],
        ['for an audience that is no service', { audience: 'scs' }, [400, 'bad_request']],
        [
          'for a scope of another audience',
          { audience: 'builder', scope: 'library:write' },
          [403, 'exchange_not_allowed'],
        ],
        ['for a scope that no job needs', { scope: 'admin' }, [403, 'exchange_not_allowed']],
        ['for one scope too many', { scope: 'library:read library:delete' }, [403, 'exchange_not_allowed']],
        ['for deleting', { scope: 'library:delete' }, [403, 'exchange_not_allowed']],
        ['for writing at another place', { scope: 'library:write:alice/other/one' }, [403, 'wrong_subject']],
        ['for no container', { container: 'alice/demo' }, [400, 'bad_request']],
        ['for no job', { job: '' }, [400, 'bad_request']],
        ['for more than a day', { lifetime: '86401' }, [400, 'bad_request']],
        ['for no time', { lifetime: '0' }, [400, 'bad_request']],
        ['with another grant', { grant_type: 'client_credentials' }, [400, 'bad_request']],
        [
          'of a token of another kind',
          { subject_token_type: 'urn:ietf:params:oauth:token-type:jwt' },
          [400, 'bad_request'],
        ],
      ])('%s', async (_, changes, expected) => {
        expect(await refusal(changes)).toEqual(expected);
      });

      test('for more than the token allows', async () => {
        expect(await refusal({ scope: 'library:write' }, ['library:read'])).toEqual([403, 'scope_missing']);
        expect(await refusal({ scope: 'library:write' }, ['library:write:alice/other'])).toEqual([
          403,
          'scope_missing',
        ]);
        expect(await refusal({ audience: 'builder', scope: 'build' }, ['library:write'])).toEqual([
          403,
          'scope_missing',
        ]);
        expect((await refusal({ scope: 'library:write' }, ['library:write:alice/demo']))[0]).toBe(200);
      });

      test('when the token was revoked, or its account disabled', async () => {
        const { id, token } = await world.token(alice);
        await setting.revoke(id);
        expect(reasonOf(await setting.form(token))).toEqual([401, 'token_revoked']);
        const bob = await world.user();
        const bobs = await world.token(bob);
        await world.expect(world.send('PATCH', `/users/${bob}`, { json: { disabled: true } }));
        expect(reasonOf(await setting.form(bobs.token))).toEqual([401, 'account_disabled']);
      });

      test('also when only the records of auth know it yet: the feed is a moment behind them', async () => {
        const verifier = world.app.get(TokenVerifier);
        const [dan, erin] = [await world.user(), await world.user()];
        const [dans, erins] = [await world.token(dan), await world.token(erin)];
        const before = [await setting.actorOf(dans.token), await setting.actorOf(erins.token)] as const;
        await setting.revoke(dans.id);
        await world.expect(world.send('PATCH', `/users/${erin}`, { json: { disabled: true } }));
        const late = vi.spyOn(verifier, 'verify');
        late.mockResolvedValueOnce(before[0]).mockResolvedValueOnce(before[1]);
        expect(reasonOf(await setting.form(dans.token))).toEqual([401, 'token_revoked']);
        expect(reasonOf(await setting.form(erins.token))).toEqual([401, 'account_disabled']);
        late.mockRestore();
      });

      test('with the same field twice', async () => {
        const answer = await world.app.request('/v1/auth/token', {
          body: 'audience=library&audience=builder',
        });
        expect(answer.status).toBe(400);
      });
    });

    test('the private part of a service key never leaves its data folder', async () => {
      const shared = await readFile(join(world.app.home, 'service-keys', 'builder.json'), 'utf8');
      expect(shared).not.toContain('"d"');
    });
  });

  describe(`the time of an exchanged token over ${name}`, () => {
    const HOUR = 3_600_000;
    let clock: ManualClock;
    let setting: Exchanging;
    beforeAll(async () => {
      clock = new ManualClock(new Date());
      setting = await Exchanging.start(await open(), { clock });
    });
    afterAll(() => setting.stop());
    const probe = async (token: string) => {
      const { status, body } = await setting.world.app.request('/v1/probe', { token });
      return [status, body.error?.reason];
    };

    test('goes on after the end of the token it came from, until its own, and no exchange makes it longer', async () => {
      const { token } = await setting.world.token(setting.alice, { lifetime: 60 });
      const exchanged = await setting.exchange(token, { lifetime: 7200 });
      clock.advance(HOUR);
      expect(await probe(token)).toEqual([401, 'token_expired']);
      expect(await probe(exchanged.token)).toEqual([200, undefined]);
      for (const spent of [token, exchanged.token]) {
        const { status } = await setting.form(spent);
        expect(status).toBe(spent === token ? 401 : 403);
      }
      clock.advance(HOUR);
      expect(await probe(exchanged.token)).toEqual([401, 'token_expired']);
    });

    test('ends with a revocation, also one that comes when the token it came from has expired', async () => {
      const { id, token } = await setting.world.token(setting.alice, { lifetime: 60 });
      const { token: exchanged } = await setting.exchange(token, { lifetime: 86_400 });
      clock.advance(HOUR);
      expect(await probe(exchanged)).toEqual([200, undefined]);
      await setting.revoke(id);
      expect(await probe(exchanged)).toEqual([401, 'token_revoked']);
      // Kept in the feed for as long as it could be asked for.
      clock.advance(22 * HOUR);
      expect(await probe(exchanged)).toEqual([401, 'token_revoked']);
      expect(decodeJwt(exchanged).exp).toBeGreaterThan(clock.now().getTime() / 1000);
    });
  });
}

import { createHmac, createPublicKey, generateKeyPairSync, randomBytes } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { decodeJwt, importJWK, SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Issuer } from '#apps/auth/src/issuer';
import { AUTH_LIMITS } from '#apps/auth/src/limits';
import { RevocationFeed } from '#libs/contract';
import { newObjectId } from '#libs/core';
import { newPrivateJwk } from '#libs/server';
import type { TestDatabase } from '../../support/databases.js';
import { PASSWORD, World } from './world.js';

/** What the auth service promises over HTTP, on any database. */
export function authSuite(name: string, open: () => Promise<TestDatabase>): void {
  describe(`auth over ${name}`, () => {
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
    const claimsFor = (changes: object = {}) => {
      const now = Math.floor(Date.now() / 1000);
      return {
        aud: 'scs',
        sub: newObjectId(),
        jti: newObjectId(),
        iat: now,
        exp: now + 600,
        scope: 'library:read',
        username: 'mallory',
        email: '',
        name: 'Mallory',
        administrator: false,
        kind: 'user' as const,
        ...changes,
      };
    };
    const kid = async (): Promise<string> =>
      (await world.app.request('/.well-known/jwks.json')).body.keys[0].kid;

    describe('first start', () => {
      test.each(['admin.password', 'admin.token'])(
        'writes %s for its owner alone, one line',
        async (file) => {
          const { mode, size } = await stat(join(world.app.home, file));
          expect(mode & 0o777).toBe(0o600);
          expect(size).toBeGreaterThan(20);
        },
      );

      test('makes a token that stock clients take, with every scope', async () => {
        expect(world.admin.length).toBeGreaterThanOrEqual(200);
        expect(world.admin.length).toBeLessThanOrEqual(4096);
        expect(world.admin).toMatch(/^[\w.-]+$/);
        const { body } = await world.app.request('/v1/token-status', { token: world.admin });
        expect(body.data.username).toBe('admin');
        expect(body.data.scopes).toContain('admin');
      });

      test('keeps the private part of the signing key out of the JWKS', async () => {
        const { body } = await world.app.request('/.well-known/jwks.json');
        expect(Object.keys(body.keys[0]).toSorted()).toEqual(['alg', 'crv', 'kid', 'kty', 'use', 'x', 'y']);
      });
    });

    describe('token status', () => {
      test.each(['Bearer', 'BEARER', 'bearer', 'bEaReR'])('takes the scheme word %s', async (word) => {
        const headers = { authorization: `${word} ${world.admin}` };
        expect((await world.app.request('/v1/token-status', { headers })).status).toBe(200);
        expect((await world.app.request('/v1/probe', { headers })).status).toBe(200);
      });

      test.each([
        ['no header', {}],
        ['a bare Bearer', { authorization: 'Bearer' }],
        ['a bare Bearer with a space', { authorization: 'Bearer ' }],
        ['a bare BEARER', { authorization: 'BEARER' }],
        ['another scheme', { authorization: 'Digest abc' }],
      ])('answers 401 to %s', async (_, headers) => {
        expect((await world.app.request('/v1/token-status', { headers })).status).toBe(401);
        expect((await world.app.request('/v1/probe', { headers })).status).toBe(401);
      });
    });

    describe('tokens that nobody may use', () => {
      /** Refused by the status route in its own way, by every other one with 401 and a challenge. */
      const REFUSED = { tokenStatus: 404, status: 401, code: 401, challenge: 'Bearer realm="scs"' };
      const answersTo = async (token: string): Promise<object> => {
        const { status, body, headers } = await world.app.request('/v1/probe', { token });
        return {
          tokenStatus: await world.statusOf(token),
          status,
          code: body.error?.code,
          challenge: headers['www-authenticate'],
        };
      };
      const compact = (header: object, claims: object, signature = ''): string =>
        `${[header, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.')}.${signature}`;

      test('alg none', async () => {
        const claims = { iss: world.app.get(Issuer).name, ...claimsFor() };
        expect(await answersTo(compact({ alg: 'none', typ: 'at+jwt', kid: await kid() }, claims))).toEqual(
          REFUSED,
        );
        expect(await answersTo(compact({ alg: 'none', typ: 'at+jwt' }, claims))).toEqual(REFUSED);
      });

      test('HMAC keyed with the public key', async () => {
        const { body } = await world.app.request('/.well-known/jwks.json');
        const pem = createPublicKey({ key: body.keys[0], format: 'jwk' }).export({
          type: 'spki',
          format: 'pem',
        });
        const claims = { iss: body.issuer, ...claimsFor() };
        const unsigned = compact({ alg: 'HS256', typ: 'at+jwt', kid: body.keys[0].kid }, claims).slice(0, -1);
        expect(
          await answersTo(`${unsigned}.${createHmac('sha256', pem).update(unsigned).digest('base64url')}`),
        ).toEqual(REFUSED);
      });

      test('another key under the same key id', async () => {
        const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
        expect(
          await answersTo(
            await new SignJWT({ iss: world.app.get(Issuer).name, ...claimsFor() })
              .setProtectedHeader({ alg: 'ES256', typ: 'at+jwt', kid: await kid() })
              .sign(privateKey),
          ),
        ).toEqual(REFUSED);
      });

      test('another instance', async () => {
        const jwk = await newPrivateJwk();
        expect(
          await answersTo(
            await new SignJWT({ iss: 'urn:scs:other', ...claimsFor() })
              .setProtectedHeader({ alg: 'ES256', typ: 'at+jwt', kid: jwk.kid })
              .sign(await importJWK(jwk, 'ES256')),
          ),
        ).toEqual(REFUSED);
      });

      test('expired', async () => {
        const past = Math.floor(Date.now() / 1000) - 1;
        expect(
          await answersTo(await world.app.get(Issuer).accessToken(claimsFor({ iat: past - 60, exp: past }))),
        ).toEqual(REFUSED);
      });

      test.each(['keystore', 'builder', 'auth', 'elsewhere'])('the audience %s', async (aud) => {
        expect(await answersTo(await world.app.get(Issuer).accessToken(claimsFor({ aud })))).toEqual(REFUSED);
      });

      test('a token of ours with one bit changed', async () => {
        const [header = '', claims = '', signature = ''] = world.admin.split('.');
        const changed = Buffer.from(claims, 'base64url')
          .toString('utf8')
          .replace('"username":"admin"', '"username":"adnim"');
        expect(
          await answersTo(`${header}.${Buffer.from(changed).toString('base64url')}.${signature}`),
        ).toEqual(REFUSED);
      });

      test('the signed revocation feed', async () => {
        const { body } = await world.app.request('/v1/auth/revocations?after=0');
        expect(await answersTo(body.data.signed)).toEqual(REFUSED);
      });

      test('random text of many lengths', async () => {
        for (const length of [1, 2, 50, 300, 3000, 6000]) {
          expect(await answersTo(randomBytes(length).toString('base64url'))).toEqual(REFUSED);
          expect(await answersTo(`a.${randomBytes(length).toString('base64url')}.b`)).toEqual(REFUSED);
        }
      });
    });

    describe('tokens of people', () => {
      test('are made with user name and password and then work', async () => {
        const user = await world.user();
        const { token } = await world.token(user, { scopes: ['library:read:alice/tools'] });
        const { status, body } = await world.app.request('/v1/probe', { token });
        expect(status).toBe(200);
        expect(body.data).toMatchObject({
          username: user,
          administrator: false,
          scopes: ['library:read:alice/tools'],
        });
      });

      test('are not made with a token that is not an administrator’s', async () => {
        const { token } = await world.token(await world.user());
        const json = { name: 'more', scopes: ['library:read'] };
        const { status, body } = await world.app.request('/v1/auth/tokens', { token, json });
        expect(status).toBe(403);
        expect(body.error.reason).toBe('password_needed');
      });

      test('cannot have the scope admin unless the account is an administrator’s', async () => {
        const answer = await world.createToken(await world.user(), { scopes: ['admin'] });
        expect(answer.status).toBe(403);
        expect(answer.body.error.reason).toBe('scope_not_grantable');
      });

      test('an administrator makes them for others, and others do not', async () => {
        const [alice, bob] = [await world.user(), await world.user()];
        const json = { name: 'ci', scopes: ['library:read'], username: bob };
        expect(
          (await world.app.request('/v1/auth/tokens', { token: world.admin, json })).body.data.username,
        ).toBe(bob);
        const refused = await world.createToken(alice, { username: bob });
        expect(refused.status).toBe(403);
        // The same answer for a name that nobody has.
        expect((await world.createToken(alice, { username: 'nobody' })).body).toEqual(refused.body);
      });

      test.each([
        ['a scope that does not exist', { scopes: ['everything'] }],
        ['a place with a capital', { scopes: ['library:write:Alice'] }],
        ['a place of four parts', { scopes: ['library:write:a/b/c/d'] }],
        ['no scope', { scopes: [] }],
        ['a lifetime of nothing', { lifetime: 0 }],
        ['a lifetime of a century', { lifetime: 3_153_600_000 }],
        ['no name', { name: ' ' }],
        ['a line break in the name', { name: 'a\nb' }],
      ])('are refused with %s', async (_, change) => {
        const answer = await world.createToken(await world.user(), change);
        expect(answer.status).toBe(400);
        expect(answer.body.error.message).toMatch(/body is not valid/);
      });

      test('are made at most sixty in a minute for one account, and that is said with the time to wait', async () => {
        const [user, other] = [await world.user(), await world.user()];
        const json = { name: 'x', scopes: ['build'], username: user };
        const make = () => world.app.request('/v1/auth/tokens', { token: world.admin, json });
        for (let one = 0; one < AUTH_LIMITS.newTokensPerAccount; one += 1)
          expect((await make()).status).toBe(200);
        const refused = await make();
        expect([refused.status, refused.body.error.reason]).toEqual([429, 'too_many_new_tokens']);
        expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
        expect((await world.createToken(other)).status).toBe(200);
      });

      test('lack of a scope is said by name', async () => {
        const { token } = await world.token(await world.user(), { scopes: ['library:read'] });
        const { status, body } = await world.app.request('/v1/probe/write', { token, method: 'POST' });
        expect(status).toBe(403);
        expect(body.error.message).toContain('library:write');
      });

      test('are listed newest first without the tokens themselves, page by page', async () => {
        const user = await world.user();
        const { token } = await world.token(user, { name: 'one' });
        await world.token(user, { name: 'two' });
        const first = await world.app.request('/v1/auth/tokens?limit=1', { token });
        expect(first.body.data).toHaveLength(1);
        expect(JSON.stringify(first.body)).not.toContain('eyJ');
        const rest = `/v1/auth/tokens?limit=5&cursor=${encodeURIComponent(first.body.page.next)}`;
        const second = await world.app.request(rest, { token });
        const names = [...first.body.data, ...second.body.data].map((one) => one.name);
        expect(names).toEqual(['two', 'one']);
      });
    });

    describe('revocation', () => {
      test('takes effect before it is answered', async () => {
        const { id, token } = await world.token(await world.user());
        expect(await world.statusOf(token)).toBe(200);
        const answer = await world.app.request(`/v1/auth/tokens/${id}`, { method: 'DELETE', token });
        expect(answer.status).toBe(200);
        expect(answer.body.data.revokedAt).not.toBeNull();
        expect(await world.statusOf(token)).toBe(404);
        const after = await world.app.request('/v1/probe', { token });
        expect([after.status, after.body.error.reason]).toEqual([401, 'token_revoked']);
      });

      test('stays in the feed for as long as anything that was exchanged from the token may live', async () => {
        const { id } = await world.token(await world.user(), { lifetime: 3600 });
        const { body } = await world.app.request(`/v1/auth/tokens/${id}`, {
          method: 'DELETE',
          token: world.admin,
        });
        const feed = await world.app.request('/v1/auth/revocations?after=0');
        const { entries } = RevocationFeed.parse(decodeJwt(feed.body.data.signed));
        const entry = entries.find((one) => one.id === id);
        expect(entry).toMatchObject({
          kind: 'token',
          until: Date.parse(body.data.expiresAt) / 1000 + 86_400,
        });
        // And nothing but random ids is told to everybody.
        expect(Object.keys(entry ?? {}).toSorted()).toEqual(['id', 'kind', 'sequence', 'until']);
      });

      test('twice is once', async () => {
        const { id } = await world.token(await world.user());
        const revoke = () =>
          world.app.request(`/v1/auth/tokens/${id}`, { method: 'DELETE', token: world.admin });
        const first = await revoke();
        const second = await revoke();
        expect(second.status).toBe(200);
        expect(second.body).toEqual(first.body);
      });

      test('of a token of somebody else looks as if there were none', async () => {
        const [alice, bob] = [await world.user(), await world.user()];
        const [mine, theirs] = [await world.token(alice), await world.token(bob)];
        const get = (id: string) =>
          world.app.request(`/v1/auth/tokens/${id}`, { method: 'DELETE', token: mine.token });
        const foreign = await get(theirs.id);
        expect(foreign.status).toBe(404);
        expect(foreign.body).toEqual((await get(newObjectId())).body);
        expect(await world.statusOf(theirs.token)).toBe(200);
      });

      test('of another own token needs the password', async () => {
        const user = await world.user();
        const [one, two] = [await world.token(user), await world.token(user)];
        const path = `/v1/auth/tokens/${two.id}`;
        expect((await world.app.request(path, { method: 'DELETE', token: one.token })).status).toBe(403);
        expect((await world.app.request(path, { method: 'DELETE', headers: world.basic(user) })).status).toBe(
          200,
        );
      });

      test('an id that is none is a bad request', async () => {
        for (const id of ['x', '..%2f..', '%24gt', 'a'.repeat(400)]) {
          const answer = await world.app.request(`/v1/auth/tokens/${id}`, {
            method: 'DELETE',
            token: world.admin,
          });
          expect(answer.status).toBe(400);
        }
      });

      test('of an account by disabling it ends all its tokens and its password; enabling brings them back', async () => {
        const user = await world.user();
        const { token } = await world.token(user);
        const change = (disabled: boolean) =>
          world.app.request(`/v1/auth/users/${user}`, {
            method: 'PATCH',
            token: world.admin,
            json: { disabled },
          });
        expect((await change(true)).body.data.disabled).toBe(true);
        expect((await world.app.request('/v1/probe', { token })).body.error.reason).toBe('account_disabled');
        expect((await world.createToken(user)).status).toBe(401);
        expect((await change(false)).status).toBe(200);
        expect(await world.statusOf(token)).toBe(200);
      });
    });

    describe('users', () => {
      test('are made by administrators only', async () => {
        const { token } = await world.token(await world.user());
        const json = { username: 'eve', password: PASSWORD };
        expect((await world.app.request('/v1/auth/users', { token, json })).status).toBe(403);
        expect((await world.app.request('/v1/auth/users', { json })).status).toBe(401);
        expect((await world.app.request('/v1/auth/users', { token })).status).toBe(403);
      });

      test('the same name twice is a conflict, and a reserved one is refused', async () => {
        const username = await world.user();
        const make = (name: string) =>
          world.app.request('/v1/auth/users', {
            token: world.admin,
            json: { username: name, password: PASSWORD },
          });
        expect((await make(username)).status).toBe(409);
        expect((await make('library')).status).toBe(422);
        for (const bad of ['A', 'a', 'a/b', '-a', 'a..b', '$where', 'ä'.repeat(3), 'a'.repeat(65)])
          expect((await make(bad)).status).toBe(400);
      });

      test('see themselves, and others look as if they were not there', async () => {
        const [alice, bob] = [await world.user(), await world.user()];
        const { token } = await world.token(alice);
        const own = await world.app.request(`/v1/auth/users/${alice}`, { token });
        expect(own.body.data.username).toBe(alice);
        const foreign = await world.app.request(`/v1/auth/users/${bob}`, { token });
        expect(foreign.status).toBe(404);
        expect(foreign.body).toEqual((await world.app.request('/v1/auth/users/nobody', { token })).body);
      });

      test('never show a password hash', async () => {
        const { body } = await world.app.request('/v1/auth/users', { token: world.admin });
        expect(body.data.length).toBeGreaterThan(1);
        expect(JSON.stringify(body)).not.toContain('argon2');
      });

      test('an administrator cannot lock the account in use', async () => {
        const path = '/v1/auth/users/admin';
        const answer = await world.app.request(path, {
          method: 'PATCH',
          token: world.admin,
          json: { disabled: true },
        });
        expect(answer.status).toBe(422);
      });
    });

    describe('passwords', () => {
      test('a wrong one and an unknown user get the same answer', async () => {
        const user = await world.user();
        const wrong = await world.createToken(user, {}, 'not the password');
        const unknown = await world.createToken('nobody-at-all', {}, 'not the password');
        expect(wrong.status).toBe(401);
        expect(unknown.status).toBe(401);
        expect(unknown.body).toEqual(wrong.body);
      });

      test('after five wrong ones the right one has to wait, and another user does not', async () => {
        const [user, other] = [await world.user(), await world.user()];
        const tries = await Promise.all(
          Array.from({ length: 8 }, () => world.createToken(user, {}, 'not the password')),
        );
        expect(tries.filter((one) => one.status === 401)).toHaveLength(5);
        const answer = await world.createToken(user);
        expect(answer.status).toBe(429);
        expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0);
        expect((await world.createToken(other)).status).toBe(200);
      });

      test('are not taken by routes of other services', async () => {
        const headers = world.basic(await world.user());
        expect((await world.app.request('/v1/probe', { headers })).status).toBe(401);
        expect((await world.app.request('/v1/auth/users', { headers })).status).toBe(401);
      });
    });
  });
}

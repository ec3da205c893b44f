import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Module } from '@nestjs/common';
import { importJWK, SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Issuer } from '#apps/auth/src/issuer';
import type { Actor } from '#libs/contract';
import { systemClock } from '#libs/core';
import {
  newPrivateJwk,
  provideTokenExchange,
  ServiceKey,
  TokenExchange,
  TokenUses,
  TokenVerifier,
} from '#libs/server';
import { type AppAnswer, type StartedApp, startApp } from '../../support/app.js';
import { sqliteDatabase } from '../../support/databases.js';
import { ProbeModule, World } from './world.js';

@Module({ providers: [provideTokenExchange('builder')], exports: [provideTokenExchange('builder')] })
class ExchangingModule {}

/** The builder in a process of its own on the same machine, with auth in another one. */
let world: World;
let builder: StartedApp;
let key: ServiceKey;
let alice: string;

beforeAll(async () => {
  world = await World.start(await sqliteDatabase());
  builder = await startApp({
    modules: [ExchangingModule, ProbeModule],
    home: world.app.home,
    env: { SCS_SERVICES: 'builder', SCS_AUTH_URL: world.app.url, SCS_LIBRARY_URL: 'https://localhost:1' },
  });
  key = await ServiceKey.open({
    service: 'builder',
    dataFolder: builder.config.dataFolder('builder'),
    home: world.app.home,
    clock: systemClock,
  });
  alice = await world.user();
});
afterAll(async () => {
  await builder.stop();
  await world.app.stop();
});

const CONTAINER = 'alice/demo/hello';
const actorOf = (token: string): Promise<Actor> => builder.get(TokenVerifier).verify(token);
const exchange = async (token: string, changes: object = {}) =>
  builder.get(TokenExchange).exchange(await actorOf(token), {
    audience: 'library',
    scopes: ['library:write', 'library:read'],
    subject: { job: 'a1b2', container: CONTAINER },
    lifetime: 3600,
    ...changes,
  });

/** The bare form, to send what no client of ours sends. */
async function form(token: string, changes: Record<string, string | undefined> = {}): Promise<AppAnswer> {
  const fields = {
    grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
    subject_token: token,
    subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    client_assertion: await key.assertion(world.app.get(Issuer).name),
    audience: 'library',
    scope: 'library:write',
    job: 'a1b2',
    container: CONTAINER,
    lifetime: '600',
    ...changes,
  };
  const body = new URLSearchParams(
    Object.entries(fields).filter((entry): entry is [string, string] => entry[1] !== undefined),
  ).toString();
  return world.app.request('/v1/auth/token', { body });
}

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

  test('is refused by every route that does not name its audience', async () => {
    const { token } = await exchange((await world.token(alice)).token);
    for (const path of ['/v1/other', '/v1/auth/tokens', '/v1/rbac/users/current']) {
      const { status, body } = await world.app.request(path, { token });
      expect([path, status, body.error.reason]).toEqual([path, 401, 'wrong_audience']);
    }
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
    await world.app.request(`/v1/auth/tokens/${id}`, { method: 'DELETE', token: world.admin });
    const revoked = performance.now();
    expect((await world.app.request('/v1/probe', { token: exchanged })).body.error.reason).toBe(
      'token_revoked',
    );
    let answer: AppAnswer;
    do answer = await builder.request('/v1/probe', { token: exchanged });
    while (answer.status === 200 && performance.now() - revoked < 5_000);
    expect(answer.body.error.reason).toBe('token_revoked');
    expect(performance.now() - revoked).toBeLessThan(1_000);
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
    const roles = () => Promise.all(tokens.map(async (token) => (await world.actor(token)).organisations));
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
    const answer = await form(token, { scope: `library:write:${CONTAINER}` });
    expect([answer.status, answer.body.error.reason]).toEqual([403, 'already_exchanged']);
    expect((await form(token, { audience: 'builder', scope: 'build' })).status).toBe(401);
  });
});

describe('an exchange is refused', () => {
  const refusal = async (changes: Record<string, string | undefined>, scopes?: string[]) => {
    const { token } = await world.token(alice, scopes === undefined ? {} : { scopes });
    const { status, body } = await form(token, changes);
    return [status, body.error?.reason];
  };

  test('without a subject token: the service alone is nobody', async () => {
    expect(await refusal({ subject_token: undefined })).toEqual([400, 'bad_request']);
    const assertion = await key.assertion(world.app.get(Issuer).name);
    expect((await world.app.request('/v1/probe', { token: assertion })).status).toBe(401);
    expect((await form(assertion)).status).toBe(401);
    const stolen = await builder.request('/v1/probe', { token: assertion });
    expect(stolen.status).toBe(401);
  });

  test('without proof of the service, or with a wrong one', async () => {
    const issuer = world.app.get(Issuer).name;
    expect(await refusal({ client_assertion: undefined })).toEqual([400, 'bad_request']);
    expect(await refusal({ client_assertion: 'x.y.z' })).toEqual([401, 'client_assertion_invalid']);
    expect(await refusal({ client_assertion: await key.assertion('urn:scs:other') })).toEqual([
      401,
      'client_assertion_invalid',
    ]);
    const stranger = await newPrivateJwk();
    const forged = await new SignJWT({ jti: randomBytes(16).toString('hex') })
      .setProtectedHeader({ alg: 'ES256', typ: 'client-authentication+jwt', kid: stranger.kid })
      .setIssuer('builder')
      .setSubject('builder')
      .setAudience(issuer)
      .setIssuedAt()
      .setExpirationTime('1m')
      .sign(await importJWK(stranger, 'ES256'));
    expect(await refusal({ client_assertion: forged })).toEqual([401, 'client_assertion_invalid']);
    const { token } = await world.token(alice);
    expect(await refusal({ client_assertion: token })).toEqual([401, 'client_assertion_invalid']);
  });

  test('when the proof is used twice', async () => {
    const client_assertion = await key.assertion(world.app.get(Issuer).name);
    expect((await refusal({ client_assertion }))[0]).toBe(200);
    expect(await refusal({ client_assertion })).toEqual([401, 'client_assertion_invalid']);
  });

  test('for a service that is in no table', async () => {
    const folder = join(world.app.home, 'data', 'keystore');
    const keystore = await ServiceKey.open({
      service: 'keystore',
      dataFolder: folder,
      home: world.app.home,
      clock: systemClock,
    });
    const client_assertion = await keystore.assertion(world.app.get(Issuer).name);
    expect(await refusal({ client_assertion })).toEqual([403, 'exchange_not_allowed']);
  });

  test.each([
    [
      'for another audience',
      { audience: 'keystore', scope: 'keystore:write' },
      [403, 'exchange_not_allowed'],
    ],
    ['for an audience that is no service', { audience: 'scs' }, [400, 'bad_request']],
    ['for a scope that no job needs', { scope: 'admin' }, [403, 'exchange_not_allowed']],
    ['for deleting', { scope: 'library:delete' }, [403, 'exchange_not_allowed']],
    ['for writing at another place', { scope: 'library:write:alice/other/one' }, [403, 'wrong_subject']],
    ['for no container', { container: 'alice/demo' }, [400, 'bad_request']],
    ['for more than a day', { lifetime: '86401' }, [400, 'bad_request']],
    ['with another grant', { grant_type: 'client_credentials' }, [400, 'bad_request']],
  ])('%s', async (_, changes, expected) => {
    expect(await refusal(changes)).toEqual(expected);
  });

  test('for more than the token allows', async () => {
    expect(await refusal({ scope: 'library:write' }, ['library:read'])).toEqual([403, 'scope_missing']);
    expect(await refusal({ scope: 'library:write' }, ['library:write:alice/other'])).toEqual([
      403,
      'scope_missing',
    ]);
    expect((await refusal({ scope: 'library:write' }, ['library:write:alice/demo']))[0]).toBe(200);
  });

  test('when the token was revoked', async () => {
    const { id, token } = await world.token(alice);
    await world.app.request(`/v1/auth/tokens/${id}`, { method: 'DELETE', token: world.admin });
    expect((await form(token)).body.error.reason).toBe('token_revoked');
  });

  test('with the same field twice', async () => {
    const answer = await world.app.request('/v1/auth/token', { body: 'audience=library&audience=builder' });
    expect(answer.status).toBe(400);
  });
});

test('the private part of a service key never leaves its data folder', async () => {
  const shared = await readFile(join(world.app.home, 'service-keys', 'builder.json'), 'utf8');
  expect(shared).not.toContain('"d"');
});

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TokenUses } from '#libs/server';
import { startApp, type StartedApp } from '../../support/app.js';
import type { TestDatabase } from '../../support/databases.js';
import { ProbeModule, World } from './world.js';

/** What is kept of the use of tokens, on any database; the other service is a process of its own as far as HTTPS can tell. */
export function usesSuite(name: string, open: () => Promise<TestDatabase>): void {
  describe(`uses of tokens over ${name}`, () => {
    let database: TestDatabase;
    let world: World;
    let service: StartedApp;
    beforeAll(async () => {
      database = await open();
      world = await World.start(database);
      service = await startApp({
        modules: [ProbeModule],
        home: world.app.home,
        env: { SCS_SERVICES: 'library', SCS_AUTH_URL: world.app.url },
      });
    });
    afterAll(async () => {
      await service.stop();
      await world.app.stop();
      await database.stop();
    });
    const flush = (app: StartedApp) => app.get(TokenUses).flush();
    const lastUsed = async (user: string, id: string) => {
      const tokens = await world.expect(world.send('GET', `/tokens?username=${user}`));
      return tokens.find((token: { id: string }) => token.id === id).lastUsed;
    };
    const report = (token: string | undefined, json: unknown) =>
      world.app.request('/v1/auth/uses', { ...(token === undefined ? {} : { token }), json });
    const HERE = { address: '127.0.0.1', client: 'test/1.0' };

    test('a token that was never used says so, and is kept as never used by being listed', async () => {
      const user = await world.user();
      const { id } = await world.token(user);
      expect(await lastUsed(user, id)).toBeNull();
      await flush(world.app);
      expect(await lastUsed(user, id)).toBeNull();
    });

    test('a request in the process of auth is kept, with time, address and client', async () => {
      const user = await world.user();
      const { id, token } = await world.token(user);
      const before = Date.now();
      await world.app.request('/v1/probe', { token, headers: { 'user-agent': 'test/1.0' } });
      await flush(world.app);
      const use = await lastUsed(user, id);
      expect(use).toMatchObject(HERE);
      expect(Date.parse(use.time)).toBeGreaterThanOrEqual(before - 1);
    });

    test('a request at another service is reported from there', async () => {
      const user = await world.user();
      const { id, token } = await world.token(user);
      const headers = { 'user-agent': 'singularity/3.3' };
      expect((await service.request('/v1/probe', { token, headers })).status).toBe(200);
      await flush(service);
      expect(await lastUsed(user, id)).toMatchObject({ address: '127.0.0.1', client: 'singularity/3.3' });
    });

    test('one that was refused for want of a scope is a use, one with a password is none', async () => {
      const user = await world.user();
      const { id, token } = await world.token(user, { scopes: ['build'] });
      expect((await world.app.request('/v1/probe/write', { token, method: 'POST' })).status).toBe(403);
      await flush(world.app);
      expect(await lastUsed(user, id)).toMatchObject({ address: '127.0.0.1' });
    });

    test('stays while it is fresh, and is replaced by a later one', async () => {
      const user = await world.user();
      const { id, token } = await world.token(user);
      const send = async (client: string) => (await report(token, { ...HERE, client })).status;
      expect([await send('first'), await send('second')]).toEqual([204, 204]);
      expect((await lastUsed(user, id)).client).toBe('first');
    });

    test.each([
      ['no address', { client: 'x' }],
      ['an address that is none', { address: 'somewhere', client: 'x' }],
      ['a long client', { address: '::1', client: 'x'.repeat(201) }],
      ['a client with control characters', { address: '::1', client: 'a\u001b[31m' }],
    ])('is not kept with %s', async (_, json) => {
      const user = await world.user();
      const { id, token } = await world.token(user);
      expect((await report(token, json)).status).toBe(400);
      expect(await lastUsed(user, id)).toBeNull();
    });

    test.each(['::1', '2001:db8::7', '::ffff:192.0.2.1', 'fe80::1%eth0', '192.0.2.1'])(
      'is kept for the address %s',
      async (address) => {
        const user = await world.user();
        const { id, token } = await world.token(user);
        expect((await report(token, { ...HERE, address })).status).toBe(204);
        expect((await lastUsed(user, id)).address).toBe(address);
      },
    );

    test('is reported by nobody without a good token', async () => {
      expect((await report(undefined, HERE)).status).toBe(401);
      expect((await report('x.y.z', HERE)).status).toBe(401);
      const user = await world.user();
      const { id, token } = await world.token(user);
      await world.send('DELETE', `/tokens/${id}`);
      expect((await report(token, HERE)).body.error.reason).toBe('token_revoked');
      expect(await lastUsed(user, id)).toBeNull();
      const headers = world.basic(user);
      expect((await world.app.request('/v1/auth/uses', { headers, json: HERE })).status).toBe(401);
    });
  });
}

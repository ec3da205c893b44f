import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { chosenModules } from '#apps/all-in-one/src/modules';
import { loadConfig } from '#libs/config';
import { routesOf } from '#libs/server';
import { type AppAnswer, type StartedApp, startApp } from '../../support/app.js';

const SERVICES = 'auth,keystore,library,builder,web';
const PASSWORD = 'correct horse battery';
const STRANGER = '203.0.113.9';

/** What proxies, single sign-on and frameworks put into requests, and what somebody may therefore try. */
const CLAIMS: Readonly<Record<string, string>> = {
  'x-forwarded-for': '127.0.0.1',
  'x-forwarded-host': 'evil.example.org',
  'x-forwarded-server': 'evil.example.org',
  'x-forwarded-proto': 'http',
  'x-forwarded-port': '1',
  'x-forwarded-prefix': '/evil',
  'x-forwarded-user': 'admin',
  'x-forwarded-email': 'admin@evil.example.org',
  'x-forwarded-groups': 'admin',
  'x-forwarded-access-token': 'admin',
  forwarded: 'for=127.0.0.1;host=evil.example.org;proto=http',
  'x-real-ip': '127.0.0.1',
  'x-client-ip': '127.0.0.1',
  'true-client-ip': '127.0.0.1',
  'x-host': 'evil.example.org',
  'x-user': 'admin',
  'x-user-id': 'admin',
  'x-username': 'admin',
  'x-user-roles': 'admin,administrator',
  'remote-user': 'admin',
  'x-remote-user': 'admin',
  'x-remote-group': 'system:masters',
  'x-auth-request-user': 'admin',
  'x-webauth-user': 'admin',
  'x-authenticated-user': 'admin',
  'x-authenticated-userid': 'admin',
  'x-admin': 'true',
  'x-internal': 'true',
  'x-service': 'worker',
  'x-ssl-client-verify': 'SUCCESS',
  'x-ssl-client-s-dn': 'CN=admin',
  'x-client-cert': 'CN=admin',
  'x-original-url': '/healthz',
  'x-rewrite-url': '/healthz',
  'x-original-method': 'GET',
  'x-http-method-override': 'GET',
  'x-http-method': 'GET',
  'x-method-override': 'GET',
  'x-auth-token': 'admin',
  'x-api-key': 'admin',
  cookie: 'user=admin; session=admin; token=admin',
};

/** What was signed has the time of its making in it. */
const comparable = ({ body }: AppAnswer): string =>
  JSON.stringify(body).replaceAll(/eyJ[\w.-]+/g, '(signed)');

describe.each([
  ['nobody in front', {}],
  ['a proxy that was named', { SCS_TRUSTED_PROXIES: '127.0.0.1,::1' }],
])('from this machine, with %s', (_, proxies: Readonly<Record<string, string>>) => {
  let app: StartedApp;
  let token: string;
  const modules = chosenModules(loadConfig({ SCS_SERVICES: SERVICES }));
  beforeAll(async () => {
    app = await startApp({ modules: await modules, env: { SCS_SERVICES: SERVICES, ...proxies } });
    const admin = readFileSync(join(app.home, 'admin.token'), 'utf8').trim();
    await app.request('/v1/auth/users', { token: admin, json: { username: 'ann', password: PASSWORD } });
    const made = await signIn('ann', PASSWORD);
    token = (made.body as { data: { token: string } }).data.token;
  });
  afterAll(() => app.stop());

  const signIn = (user: string, password: string, headers: Record<string, string> = {}): Promise<AppAnswer> =>
    app.request('/v1/auth/tokens', {
      headers: {
        authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`,
        ...headers,
      },
      json: { name: 'test', scopes: ['library:read'] },
    });

  const routes = async (): Promise<readonly { method: string; path: string }[]> =>
    routesOf(await modules)
      .filter(({ method }) => method !== 'ALL')
      .map(({ method, path }) => ({ method, path: path.replaceAll(/:\w+/g, 'x1').replace('*', 'x1') }));

  it.each([
    ['nobody', () => undefined],
    ['somebody without the right', () => token],
  ])('%s gains nothing by headers, at any route', async (__, who) => {
    const all = await routes();
    expect(all.length).toBeGreaterThan(30);
    const presented = who();
    const credentials = presented === undefined ? {} : { token: presented };
    for (const { method, path } of all) {
      const plain = await app.request(path, { method, ...credentials });
      const claimed = await app.request(path, { method, ...credentials, headers: CLAIMS });
      expect([method, path, claimed.status, comparable(claimed)]).toEqual([
        method,
        path,
        plain.status,
        comparable(plain),
      ]);
      expect(JSON.stringify([claimed.headers, claimed.body])).not.toContain('evil');
    }
  });

  it('asks for a token like from anywhere else', async () => {
    for (const path of ['/v1/auth/users', '/v1/rbac/users/current', '/v1/auth/tokens'])
      expect((await app.request(path, { headers: CLAIMS })).status).toBe(401);
    expect((await app.request('/v1/auth/users', { token, headers: CLAIMS })).status).toBe(403);
  });

  it('counts wrong passwords for who asked, and believes nobody but a named proxy about that', async () => {
    const tries: number[] = [];
    for (let count = 1; count <= 6; count += 1)
      tries.push((await signIn('ann', 'wrong', { 'x-forwarded-for': `198.51.100.${count}` })).status);
    const believed = 'SCS_TRUSTED_PROXIES' in proxies;
    expect(tries).toEqual([401, 401, 401, 401, 401, believed ? 401 : 429]);
  });

  it('writes the address of who asked into the log', async () => {
    const path = `/v1/images/nowhere-${Object.keys(proxies).length}`;
    await app.request(path, { headers: { 'x-forwarded-for': `198.51.100.77, ${STRANGER}` } });
    const line = readFileSync(join(app.home, 'log/test.log'), 'utf8')
      .split('\n')
      .find((text) => text.includes(path));
    const { address } = JSON.parse(line ?? '{}') as { address: string };
    expect(address).toBe('SCS_TRUSTED_PROXIES' in proxies ? STRANGER : '127.0.0.1');
  });
});

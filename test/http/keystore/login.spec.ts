import { KeystoreModule } from '#apps/keystore/src/keystore.module';
import { WebModule } from '#apps/web/src/web.module';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type StartedApp, startApp } from '../../support/app.js';
import { TestAuthority } from '../../support/tokens.js';

const basic = (user: string, password: string) =>
  `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;

/** Keystore contract §1.2 and test case E12: stock clients ask `GET /` whether a login is good, then send it with everything. */
describe('a login to the key server', () => {
  let app: StartedApp;
  let token: string;

  beforeAll(async () => {
    const authority = await TestAuthority.make();
    app = await startApp({
      modules: [WebModule, KeystoreModule, authority.module()],
      env: {
        SCS_SERVICES: 'web,keystore',
        SCS_AUTH_URL: 'https://localhost:1',
        SCS_LIBRARY_URL: 'https://localhost:1',
        SCS_BUILDER_URL: 'https://localhost:1',
      },
    });
    token = await authority.token({ username: 'ann' });
  });
  afterAll(() => app.stop());

  const ask = async (authorization: string | undefined) =>
    app.request('/', { headers: authorization === undefined ? {} : { authorization } });

  it('is good with a token, as Bearer or as a password, and without any', async () => {
    for (const authorization of [
      undefined,
      'Bearer',
      `Bearer ${token}`,
      basic('ann', token),
      basic('', token),
    ])
      expect((await ask(authorization)).status).toBe(200);
  });

  it('is refused with anything else, and says what is taken', async () => {
    const bad = `${token.slice(0, -8)}AAAAAAAA`;
    for (const authorization of [`Bearer ${bad}`, 'Bearer x', basic('ann', bad), basic('ann', 'secret')])
      expect((await ask(authorization)).status).toBe(401);
    const { body, headers } = await ask(basic('ann', 'secret'));
    expect(body).toContain('Passwords are not taken here');
    expect(headers['www-authenticate']).toContain('Bearer');
  });

  it('with a token as a password may also change things', async () => {
    const request = (authorization: string) =>
      app.request('/pks/add', {
        method: 'POST',
        headers: { authorization, 'content-type': 'application/x-www-form-urlencoded' },
        body: 'keytext=nonsense',
      });
    expect((await request(basic('ann', token))).status).toBe(422);
    expect((await request(basic('ann', 'secret'))).status).toBe(401);
  });
});

import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SIGNED_TYPES } from '#libs/contract';
import { LOG, type Logger } from '#libs/server';
import { startApp } from '../../support/app.js';
import { Secrets } from '../../support/secrets.js';
import { temporaryFolder } from '../../support/temporary.js';
import { TestAuthority } from '../../support/tokens.js';

const PASSWORD = 'correct "horse" & battery';

describe('the search for secrets', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let secrets: Secrets;
  let token: string;
  beforeEach(async () => {
    folder = await temporaryFolder();
    await mkdir(join(folder.path, 'log'));
    await mkdir(join(folder.path, 'data', 'auth', 'signing-keys'), { recursive: true });
    token = await (await TestAuthority.make()).token({ username: 'ann' });
    secrets = new Secrets();
    const authorization = `Basic ${Buffer.from(`ann:${PASSWORD}`).toString('base64')}`;
    secrets.addFrom({ token, headers: { authorization } }, { data: { name: 'ann' } });
  });
  afterEach(() => folder.remove());

  const found = async (path: string, text: string) => {
    await writeFile(join(folder.path, path), `before\0${text}\0behind`);
    return secrets.leaks(folder.path);
  };

  it.each<[string, (secret: { token: string }) => string, string]>([
    ['a token', ({ token: one }) => one, 'a token'],
    ['the signature of a token', ({ token: one }) => one.split('.')[2] ?? '', 'a token'],
    [
      'a token as the password of Basic',
      ({ token: one }) => Buffer.from(`ann:${one}`).toString('base64'),
      'a token',
    ],
    ['a password', () => PASSWORD, 'a password'],
    ['a password in JSON', () => JSON.stringify({ password: PASSWORD }), 'a password'],
    ['a password in an address', () => `?p=${encodeURIComponent(PASSWORD)}`, 'a password'],
    ['a password in Basic', () => Buffer.from(`somebody:${PASSWORD}`).toString('base64'), 'a password'],
  ])('finds %s, in logs and in data', async (_, write, name) => {
    expect(await found('log/server.log', write({ token }))).toContain(`log/server.log holds ${name}`);
    const places = await found('data/auth/auth.sqlite-wal', write({ token }));
    expect(places).toContain(`data/auth/auth.sqlite-wal holds ${name}`);
    expect(places).toContain(`log/server.log holds ${name}`);
    expect(secrets.leaksIn(write({ token }))).toEqual([name]);
  });

  it('finds tokens that it was not told of, and takes what is signed for everybody for what it is', async () => {
    const authority = await TestAuthority.make();
    const other = await authority.token({ username: 'bob' });
    expect(await found('log/server.log', other)).toEqual(['log/server.log holds some token']);
    const feed = await authority.sign({ head: 1 }, SIGNED_TYPES.revocations);
    expect(await found('log/server.log', feed)).toEqual([]);
  });

  it('finds nothing in what is no secret, and leaves files out whose purpose is one', async () => {
    expect(await found('log/server.log', token.split('.').slice(0, 2).join('.'))).toEqual([]);
    expect(await found('data/auth/signing-keys/0001.json', token)).toEqual([]);
    expect(secrets.size).toBe(2);
  });

  it('makes every test of an app fail that wrote one down', async () => {
    const authority = await TestAuthority.make();
    const app = await startApp({
      modules: [authority.module()],
      env: { SCS_SERVICES: 'keystore', SCS_AUTH_URL: 'https://localhost:1' },
    });
    const used = await authority.token({ username: 'ann' });
    expect((await app.request('/v1/rbac/users/current', { token: used })).status).toBe(200);
    app.get<Logger>(LOG).info({ careless: used }, 'Somebody was here');
    await expect(app.stop()).rejects.toThrow('log/test.log holds a token');
  });
});

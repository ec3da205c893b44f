import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { prepareInstance, type Instance } from '../support/instance.js';

describe('services in processes of their own', () => {
  let auth: Instance;
  let keystore: Instance;
  beforeAll(async () => {
    auth = await prepareInstance({ SCS_SERVICES: 'auth' });
    await auth.start();
    keystore = await prepareInstance({
      SCS_SERVICES: 'keystore',
      SCS_AUTH_URL: auth.endpoint().url,
      SCS_TLS_CA_FILE: auth.endpoint().caFile,
    });
    await keystore.start();
  });
  afterAll(async () => {
    await keystore.remove();
    await auth.remove();
  });

  it('take the tokens of the auth service that SCS_AUTH_URL names', async () => {
    const token = readFileSync(auth.endpoint().tokenFile, 'utf8').trim();
    expect(await keystore.get('/v1/rbac/users/current', token)).toMatchObject({
      status: 200,
      body: { username: 'admin' },
    });
    expect((await keystore.get('/v1/rbac/users/current')).status).toBe(401);
  });

  it('answer for themselves alone', async () => {
    expect((await keystore.get('/v1/token-status')).status).toBe(404);
    expect((await auth.get('/pks/lookup?op=index&search=x')).status).toBe(404);
  });

  it('start no Redis where no job is handled', () => {
    expect(Object.keys(auth.children())).toEqual(['server']);
  });
});

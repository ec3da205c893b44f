import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { TokenVerifier } from '#libs/server';
import { type AppAnswer, type StartedApp, startApp } from '../../support/app.js';
import { sqliteDatabase } from '../../support/databases.js';
import { temporaryFolder } from '../../support/temporary.js';
import { freePort } from '../../support/ports.js';
import { ProbeModule, World } from './world.js';

/** One service in a process of its own; auth comes later, or goes away. */
let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let port: number;
let service: StartedApp;
beforeEach(async () => {
  folder = await temporaryFolder();
  port = await freePort();
  service = await startApp({
    modules: [ProbeModule],
    home: folder.path,
    env: { SCS_SERVICES: 'library', SCS_AUTH_URL: `https://localhost:${port}` },
  });
});
afterEach(async () => {
  await service.stop();
  await folder.remove();
});

const startAuth = () => World.start({ ...emptyDatabase, env: { SCS_PORT: String(port) } }, folder.path);
const emptyDatabase = await sqliteDatabase();

/** Asks until the answer has another status; the verifier looks for auth several times a second. */
async function untilNot(status: number, ask: () => Promise<AppAnswer>): Promise<AppAnswer> {
  const end = performance.now() + 5_000;
  let answer: AppAnswer;
  do answer = await ask();
  while (answer.status === status && performance.now() < end);
  return answer;
}

describe('a service without auth', () => {
  test('says that it is not ready, answers what is open, and takes no token for good', async () => {
    expect((await service.request('/version')).status).toBe(200);
    expect((await service.request('/readyz')).status).toBe(503);
    const token = `${Buffer.from('{"alg":"ES256","typ":"at+jwt","kid":"x"}').toString('base64url')}.e30.e30`;
    const { status, body } = await service.request('/v1/probe', { token });
    expect([status, body.error.reason]).toEqual([503, 'auth_unreachable']);
    // What is no token at all is refused as ever.
    expect((await service.request('/v1/probe', { token: 'x.y.z' })).status).toBe(401);
    expect((await service.request('/v1/probe')).status).toBe(401);
  });

  test('works as soon as auth is there, without a restart', async () => {
    const world = await startAuth();
    try {
      const ask = () => service.request('/v1/probe/write', { token: world.admin, method: 'POST' });
      expect((await untilNot(503, ask)).status).toBe(200);
      expect((await service.request('/readyz')).status).toBe(200);
    } finally {
      await world.app.stop();
    }
  });

  test('goes on reading when auth went away; writing ends when revocations are too old', async () => {
    const world = await startAuth();
    const { admin } = world;
    const write = () => service.request('/v1/probe/write', { token: admin, method: 'POST' });
    expect((await untilNot(503, write)).status).toBe(200);
    await world.app.stop();
    expect((await write()).status).toBe(200);
    // The bound itself is tested with a clock beside the verifier.
    vi.spyOn(service.get(TokenVerifier), 'fresh', 'get').mockReturnValue(false);
    const refused = await write();
    expect([refused.status, refused.body.error.reason]).toEqual([503, 'revocations_stale']);
    expect((await service.request('/v1/probe', { token: admin })).status).toBe(200);
  });
});

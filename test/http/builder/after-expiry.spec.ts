import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AppAnswer } from '../../support/app.js';
import { base64, DONE, SCRATCH, TestBuilder } from '../../support/builder.js';
import { sqliteDatabase } from '../../support/databases.js';
import { type RedisServer, startRedis } from '../../support/redis.js';

const MINUTE = 60_000;

/** ADR 10: whoever waits for a build may wait longer than the token lives. */
describe('a build that lasts longer than the token that it was submitted with', () => {
  let builder: TestBuilder;
  let redis: RedisServer;
  /** The time of the machine, and as much more as a test says: workers have to prove themselves at the right time. */
  let ahead = 0;
  beforeAll(async () => {
    redis = await startRedis();
    const clock = { now: () => new Date(Date.now() + ahead) };
    builder = await TestBuilder.start(await sqliteDatabase(), { redis, clock });
    for (const name of ['ann', 'bob']) await builder.account(name);
  });
  afterAll(async () => {
    await builder.stop();
    await redis.stop();
  });

  const token = (username: string) =>
    builder.token(username, ['build', 'library:read', 'library:write'], { lifetime: 60 });
  const expire = () => (ahead += 61_000);
  const ask = (path: string, as: string, method = 'GET') => builder.app.request(path, { method, token: as });
  const reasonOf = ({ status, body }: AppAnswer): unknown => [status, body.error?.reason];
  const EXPIRED = [401, 'token_expired'];

  it('is seen, read, followed and cancelled with it', async () => {
    const ann = await token('ann');
    const id = await builder.submitted(ann.token);
    const { builderToken } = await builder.started(id);
    await builder.say(id, builderToken, 0, 'one\n');
    const socket = builder.socket(id, ann.token);
    await once(socket, 'message');
    expire();
    expect((await ask(`/v1/build/${id}`, ann.token)).body.data.status).toBe('InProgress');
    expect((await ask(`/v1/build-output/${id}`, ann.token)).body).toBe('one\n');
    // The stream that was open goes on, and one that broke is taken up again.
    const more = once(socket, 'message');
    await builder.say(id, builderToken, 4, 'two\n');
    expect(String(((await more) as unknown[])[0])).toBe('two\n');
    const again = builder.follow(id, ann.token);
    await once(builder.socket(id, ann.token), 'open');
    expect((await ask(`/v1/build/${id}/_cancel`, ann.token, 'PUT')).status).toBe(204);
    expect(await again).toEqual({ text: 'one\ntwo\nBuild cancelled.\n', code: 1000 });
    expect((await ask(`/v1/build/${id}`, ann.token)).body.data.status).toBe('Cancelled');
  });

  it('tells its end for ten minutes', async () => {
    const ann = await token('ann');
    const id = await builder.submitted(ann.token);
    const { builderToken } = await builder.started(id);
    expire();
    expect((await builder.finish(id, builderToken, DONE)).status).toBe(200);
    ahead += 9 * MINUTE;
    expect((await ask(`/v1/build/${id}`, ann.token)).body.data.imageSize).toBe(DONE.imageSize);
    expect(await builder.follow(id, ann.token)).toMatchObject({ code: 1000 });
    ahead += MINUTE;
    expect(reasonOf(await ask(`/v1/build/${id}`, ann.token))).toEqual(EXPIRED);
    expect(reasonOf(await ask(`/v1/build-output/${id}`, ann.token))).toEqual(EXPIRED);
    expect(await builder.follow(id, ann.token)).toEqual({ refused: 401 });
  });

  it('is closed to every other expired token, and the token opens nothing else', async () => {
    const [ann, late, bob] = [await token('ann'), await token('ann'), await token('bob')];
    const id = await builder.submitted(ann.token);
    const other = await builder.submitted(late.token);
    expire();
    for (const { token: as } of [late, bob]) {
      for (const path of [`/v1/build/${id}`, `/v1/build-output/${id}`])
        expect(reasonOf(await ask(path, as))).toEqual(EXPIRED);
      expect(reasonOf(await ask(`/v1/build/${id}/_cancel`, as, 'PUT'))).toEqual(EXPIRED);
      expect(await builder.follow(id, as)).toEqual({ refused: 401 });
    }
    expect(reasonOf(await ask(`/v1/build/${other}`, ann.token))).toEqual(EXPIRED);
    expect(reasonOf(await ask('/v1/build', ann.token))).toEqual(EXPIRED);
    expect(reasonOf(await ask(`/v1/build/${id}`, ann.token, 'DELETE'))).toEqual(EXPIRED);
    const definitionRaw = base64(SCRATCH);
    expect(reasonOf(await builder.submit({ definitionRaw, libraryRef: '' }, ann.token))).toEqual(EXPIRED);
    expect((await ask(`/v1/build/${id}`, ann.token)).body.data.status).toBe('Pending');
  });

  it('is closed to the token when that is revoked', async () => {
    const ann = await token('ann');
    const id = await builder.submitted(ann.token);
    expire();
    expect((await ask(`/v1/build/${id}`, ann.token)).status).toBe(200);
    expect((await builder.revoke('ann', ann.id)).status).toBe(200);
    expect(reasonOf(await ask(`/v1/build/${id}`, ann.token))).toEqual([401, 'token_revoked']);
    expect(await builder.follow(id, ann.token)).toEqual({ refused: 401 });
  });

  it('has its context given up with it, and no other', async () => {
    const [ann, late] = [await token('ann'), await token('ann')];
    const bytes = Buffer.from(`context ${Math.random()}`);
    const digest = `sha256.${createHash('sha256').update(bytes).digest('hex')}`;
    const json = { size: bytes.length, digest };
    const announced = await builder.app.request('/v1/build-context', { token: ann.token, json });
    const location = String(announced.headers['location']);
    expect((await builder.app.request(location, { method: 'PUT', body: bytes })).status).toBe(201);
    expire();
    const path = `/v1/build-context/${digest}`;
    expect(reasonOf(await ask(path, late.token, 'DELETE'))).toEqual(EXPIRED);
    expect(reasonOf(await ask('/v1/build-context/x', ann.token, 'DELETE'))).toEqual(EXPIRED);
    expect((await ask(path, ann.token, 'DELETE')).status).toBe(200);
    // It is held no more.
    expect(reasonOf(await ask(path, ann.token, 'DELETE'))).toEqual(EXPIRED);
  });
});

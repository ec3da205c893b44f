import { createHash, randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AppAnswer } from '../../support/app.js';
import { base64, SCRATCH, TestBuilder } from '../../support/builder.js';
import { sqliteDatabase } from '../../support/databases.js';
import { ReadsSeen, toldApart } from '../../support/hidden.js';
import { type RedisServer, startRedis } from '../../support/redis.js';

const ROUNDS = 120;
const NO_ID = ['1'.repeat(24), '2'.repeat(24)] as const;
const NO_DIGEST = [`sha256.${'1'.repeat(64)}`, `sha256.${'2'.repeat(64)}`] as const;

/** What is not there and what is not yours is answered in the same words, after the same work, in the same time. */
describe('builds, contexts and tokens of somebody else', () => {
  let reads: ReadsSeen;
  let builder: TestBuilder;
  let redis: RedisServer;
  let ann: string;
  let build: string;
  let context: string;
  let token: string;
  beforeAll(async () => {
    reads = await ReadsSeen.watch();
    redis = await startRedis();
    builder = await TestBuilder.start(await sqliteDatabase(), { redis });
    ann = await builder.account('ann');
    await builder.account('bob');
    const bob = await builder.token('bob');
    token = bob.id;
    build = await builder.submitted(bob.token);
    const bytes = randomBytes(20);
    context = `sha256.${createHash('sha256').update(bytes).digest('hex')}`;
    const json = { size: bytes.length, digest: context };
    const announced = await builder.app.request('/v1/build-context', { token: bob.token, json });
    await builder.app.request(String(announced.headers['location']), { method: 'PUT', body: bytes });
  });
  afterAll(async () => {
    await builder.stop();
    await redis.stop();
  });

  const ask = (method: string, path: string, json?: object) =>
    builder.app.request(path, { method, token: ann, ...(json === undefined ? {} : { json }) });
  const submit = (contextDigest: string) =>
    ask('POST', '/v1/build', { definitionRaw: base64(SCRATCH), libraryRef: '', contextDigest });
  const CASES = [
    ['a build', 404, (id: string) => ask('GET', `/v1/build/${id}`), () => build, NO_ID],
    ['the log of a build', 404, (id: string) => ask('GET', `/v1/build-output/${id}`), () => build, NO_ID],
    ['a build to cancel', 404, (id: string) => ask('PUT', `/v1/build/${id}/_cancel`), () => build, NO_ID],
    ['a build to delete', 404, (id: string) => ask('DELETE', `/v1/build/${id}`), () => build, NO_ID],
    ['a context to build with', 404, submit, () => context, NO_DIGEST],
    [
      'a context to give up',
      200,
      (id: string) => ask('DELETE', `/v1/build-context/${id}`),
      () => context,
      NO_DIGEST,
    ],
    ['a token to revoke', 404, (id: string) => ask('DELETE', `/v1/auth/tokens/${id}`), () => token, NO_ID],
  ] as const;

  it.each(CASES)('%s: in the same words, after the same work', async (_, status, request, hidden, absent) => {
    const outcomes = [];
    for (const what of [hidden(), ...absent]) {
      let answer: AppAnswer | undefined;
      const done = await reads.of(async () => (answer = await request(what)));
      const { code, reason, message = '' } = answer?.body.error ?? {};
      outcomes.push({ status: answer?.status, code, reason, message: message.replace(what, '…'), done });
    }
    expect(outcomes[0]?.status).toBe(status);
    expect(outcomes[0]).toEqual(outcomes[1]);
    expect(outcomes[2]).toEqual(outcomes[1]);
  });

  it('everything: in the same time', async () => {
    const things = CASES.map(([name, , request, hidden, [absent, control]]) => [
      name,
      {
        hidden: () => request(hidden()),
        absent: () => request(absent),
        control: () => request(control),
      },
    ]);
    expect(await toldApart(Object.fromEntries(things), ROUNDS)).toEqual([]);
  }, 120_000);

  it('nothing of it has changed', async () => {
    const seen = await builder.status(build, builder.admin);
    expect(seen).toMatchObject({ status: 'Pending', deleted: false });
    const { body } = await builder.app.request('/v1/auth/tokens?username=bob', { token: builder.admin });
    expect(body.data).toMatchObject([{ id: token, revokedAt: null }, {}]);
  });
});

import { createHash, randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BuilderModule } from '#apps/builder/src/builder.module';
import { BuildsStore } from '#apps/builder/src/builds.store';
import { ContextsStore } from '#apps/builder/src/contexts.store';
import { routesOf } from '#libs/server';
import type { AppAnswer } from '../../support/app.js';
import { base64, DONE, SCRATCH, TestBuilder } from '../../support/builder.js';
import { sqliteDatabase } from '../../support/databases.js';
import { asQuery, comparable, extraFields } from '../../support/extra-fields.js';
import { type RedisServer, startRedis } from '../../support/redis.js';

/** Whatever is kept of builds and contexts, and of tries of workers. */
const KEPT = {
  isComplete: true,
  imageSize: 77,
  imageChecksum: `sha256.${'a'.repeat(64)}`,
  failureReason: 'mallory',
  submitTime: '1999-01-01T00:00:00Z',
  startTime: '1999-01-01T00:00:00Z',
  completeTime: '1999-01-01T00:00:00Z',
  place: 'mallory/x/y',
  tags: ['evil'],
  architecture: 'riscv64',
  arch: 'riscv64',
  libraryUrl: 'https://other.example',
  wsURL: 'wss://other.example',
  workingDirectory: '/root',
  logComplete: true,
  logSize: 77,
  attempt: 77,
  attempts: 77,
  tokens: 'x',
  tokensExpireAt: '2999-01-01T00:00:00Z',
  builderToken: 'x',
  libraryToken: 'x',
  keystoreToken: 'x',
  timeLimit: 1e9,
  hasContext: true,
  wanted: true,
  priority: 77,
  queuePosition: 1,
  uploaded: true,
  name: 'mallory',
};

interface Sent {
  readonly builder: TestBuilder;
  readonly username: string;
  readonly token: string;
  /** Of `extraFields`, without what the route takes. */
  readonly extra: (...taken: readonly string[]) => Record<string, unknown>;
  /** To be added to an address: nothing, or the fields as a query. */
  readonly query: string;
}
type Case = (sent: Sent) => Promise<unknown>;

const statusAndBody = ({ status, body, headers }: AppAnswer) => ({
  status,
  body: body as unknown,
  location: headers['location'] ?? null,
});
/** The build as it is stored and shown, and what somebody else sees of it. */
async function stored({ builder, token }: Sent, id: string): Promise<unknown> {
  const { tokens: _, ...build } = (await builder.app.get(BuildsStore).get(id))?.value ?? { tokens: '' };
  const { data } = (await builder.app.request('/v1/build', { token })).body;
  return { build, list: data as unknown };
}

async function newContext({ builder, token }: Sent) {
  const bytes = randomBytes(20);
  const digest = `sha256.${createHash('sha256').update(bytes).digest('hex')}`;
  const json = { size: bytes.length, digest };
  const announced = await builder.app.request('/v1/build-context', { token, json });
  return { bytes, digest, location: String(announced.headers['location']) };
}
async function newJob({ builder, token }: Sent) {
  const id = await builder.submitted(token);
  const { builderToken } = await builder.started(id);
  return { id, builderToken, tryId: builder.tryOf(id) };
}

/** Every route of the builder that takes a body. */
const CASES: Readonly<Record<string, Case>> = {
  'POST /v1/build': async (sent) => {
    const { builder, token, extra, query } = sent;
    const json = {
      ...extra(),
      definitionRaw: base64(SCRATCH),
      libraryRef: '',
      workingDir: '/home',
      builderRequirements: { arch: 'amd64', ...(query === '' ? {} : { isAdmin: 'yes', owner: 'mallory' }) },
    };
    const made = await builder.app.request(`/v1/build?${query}`, { method: 'POST', token, json });
    const { id } = made.body.data as { id: string };
    const { builderToken, libraryToken, keystoreToken, ...ticket } = await builder.started(id);
    const tokens = [builderToken, libraryToken, keystoreToken].map((token) => token.split('.').length);
    return [statusAndBody(made), await stored(sent, id), ticket, tokens];
  },
  'POST /v1/build-def-file': async (sent) => {
    const { builder, token, query } = sent;
    const made = await builder.app.request(`/v1/build-def-file?${query}`, {
      method: 'POST',
      token,
      body: SCRATCH,
    });
    return [statusAndBody(made), await stored(sent, made.body.data.id as string)];
  },
  'PUT /v1/build/:id/_cancel': async (sent) => {
    const { builder, token, extra, query } = sent;
    const id = await builder.submitted(token);
    const path = `/v1/build/${id}/_cancel?${query}`;
    const answer = await builder.app.request(path, { method: 'PUT', token, json: extra() });
    return [statusAndBody(answer), await stored(sent, id)];
  },
  'POST /v1/build-context': async ({ builder, token, extra, query }) => {
    const json = { ...extra(), size: 5, digest: `sha256.${'b'.repeat(64)}` };
    const made = await builder.app.request(`/v1/build-context?${query}`, { method: 'POST', token, json });
    const account = (await builder.app.request('/v1/rbac/users/current', { token })).body.user_id as string;
    return [statusAndBody(made), (await builder.app.get(ContextsStore).ofHolder(account, 10)).length];
  },
  'PUT /v1/build-context/:digest/_upload': async (sent) => {
    const { builder, query } = sent;
    const { bytes, digest, location } = await newContext(sent);
    const answer = await builder.app.request(`${location}&${query}`, { method: 'PUT', body: bytes });
    const held = await builder.app
      .get(ContextsStore)
      .get(digest, new URL(location, 'https://x').searchParams.get('holder') ?? '');
    return [statusAndBody(answer), held];
  },
  'POST /v1/convert-def-file': async ({ builder, token, query }) => {
    const path = `/v1/convert-def-file?${query}`;
    return [statusAndBody(await builder.app.request(path, { method: 'POST', token, body: SCRATCH }))];
  },
  'POST /v1/build/:id/_ticket': async (sent) => {
    const { builder, token, extra, query } = sent;
    const id = await builder.submitted(token);
    const json = { ...extra(), clientAssertion: await builder.proof(), tryId: 'b'.repeat(24) };
    const answer = await builder.app.request(`/v1/build/${id}/_ticket?${query}`, { method: 'POST', json });
    return [statusAndBody(answer), await stored(sent, id)];
  },
  'PUT /v1/build/:id/_log': async (sent) => {
    const { builder, query } = sent;
    const { id, builderToken, tryId } = await newJob(sent);
    const path = `/v1/build/${id}/_log?offset=0&try=${tryId}&${query}`;
    const answer = await builder.app.request(path, { method: 'PUT', token: builderToken, body: 'line\n' });
    return [statusAndBody(answer), await stored(sent, id)];
  },
  'PUT /v1/build/:id/_finish': async (sent) => {
    const { builder, extra, query } = sent;
    const { id, builderToken, tryId } = await newJob(sent);
    const path = `/v1/build/${id}/_finish?try=${tryId}&${query}`;
    const json = { ...extra(), ...DONE };
    const answer = await builder.app.request(path, { method: 'PUT', token: builderToken, json });
    return [statusAndBody(answer), await stored(sent, id)];
  },
};

describe('bodies of the builder', () => {
  let builder: TestBuilder;
  let redis: RedisServer;
  let names = 0;
  beforeAll(async () => {
    redis = await startRedis();
    builder = await TestBuilder.start(await sqliteDatabase(), { redis });
  });
  afterAll(async () => {
    await builder.stop();
    await redis.stop();
  });

  const run = async (send: Case, extra: Sent['extra']) => {
    const username = `new${(names += 1)}`;
    const token = await builder.account(username);
    return comparable(await send({ builder, username, token, extra, query: asQuery(extra()) }));
  };

  it('are tested for every route that takes one', () => {
    const taking = routesOf([BuilderModule]).filter(({ method }) => !['GET', 'DELETE'].includes(method));
    expect(taking.map(({ method, path }) => `${method} ${path}`).sort()).toEqual(Object.keys(CASES).sort());
  });

  it.each(Object.entries(CASES))('%s: fields that no client may set change nothing', async (_, send) => {
    const plain = await run(send, () => ({}));
    expect([200, 201, 202, 204]).toContain((plain as { status: number }[])[0]?.status);
    expect(await run(send, (...taken) => extraFields(KEPT, ...taken))).toEqual(plain);
  });
});

import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { connect } from 'node:tls';
import { CONTEXT_BLOBS, ContextsService } from '#apps/builder/src/contexts.service';
import type { BlobStore } from '#libs/blobs';
import type { Digest } from '#libs/core';
import { TokenVerifier } from '#libs/server';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import type { AppAnswer } from '../../support/app.js';
import { base64, SCRATCH, TestBuilder } from '../../support/builder.js';
import { sqliteDatabase } from '../../support/databases.js';
import { type RedisServer, startRedis } from '../../support/redis.js';

describe('a builder among hostile clients', () => {
  let builder: TestBuilder;
  let redis: RedisServer;
  let ann: string;

  beforeAll(async () => {
    redis = await startRedis();
    builder = await TestBuilder.start(await sqliteDatabase(), { redis });
    ann = await builder.account('ann');
  });
  afterAll(async () => {
    await builder.stop();
    await redis.stop();
  });

  // Each of these once kept the process, and with it all services, busy for minutes.
  it.each([
    ['line ends where base64 is expected', { definitionRaw: `${'\n'.repeat(1_500_000)}*` }, 400],
    [
      'an address of slashes',
      { buildRecipe: SCRATCH, libraryURL: `https://h${'/'.repeat(3_000_000)}x` },
      400,
    ],
    ['a reference of slashes', { buildRecipe: SCRATCH, libraryRef: '/'.repeat(3_000_000) }, 400],
    ['a path of megabytes', { buildRecipe: SCRATCH, workingDir: '/x'.repeat(1_000_000) }, 400],
    ['a definition of nothing but sections', { buildRecipe: SCRATCH + '%post\n'.repeat(170_000) }, 200],
    [
      'a variable that grows',
      { buildRecipe: `${SCRATCH}%arguments\nA=${'x'.repeat(60_000)}\n%post\n${'{{A}}'.repeat(9_000)}\n` },
      400,
    ],
  ])(
    'answers %s in seconds',
    async (_, json, status) => {
      const answer = await builder.submit(json, ann);
      expect(answer.status).toBe(status);
      expect(JSON.stringify(answer.body.error ?? '').length).toBeLessThan(1000);
    },
    10_000,
  );

  it('lets nobody have more builds waiting than the limit, all at once and however large', async () => {
    const carl = await builder.account('carl');
    const text = SCRATCH + `%help\n${'x'.repeat(60_000)}\n`.repeat(8);
    const answers = await Promise.all(
      Array.from({ length: 56 }, async () => builder.submit({ buildRecipe: text }, carl)),
    );
    const statuses = answers.map(({ status }) => status);
    expect(statuses.filter((status) => status === 200)).toHaveLength(50);
    expect(statuses.filter((status) => status === 429)).toHaveLength(6);
    const refused = answers.find(({ status }) => status === 429);
    expect(refused?.body.error).toMatchObject({
      reason: 'too_many_builds',
      message: '50 builds of carl are waiting or running; wait until some of them are done',
    });
    expect(refused?.headers['retry-after']).toBeDefined();
    // The list of them has an end, too.
    const list = await builder.app.request('/v1/build', { token: carl });
    expect(list.body.data).toHaveLength(50);
    expect(JSON.stringify(list.body).length).toBeLessThan(6_000_000);
    expect(list.body.data[0].buildRecipe).toBe(text);
    // Others are not concerned.
    expect((await builder.submit({ buildRecipe: SCRATCH }, ann)).status).toBe(200);
  }, 60_000);

  it('59: sends no log to a page of another site', async () => {
    const id = await builder.submitted(ann);
    await builder.cancel(id, ann);
    const query = `?auth_token=${ann}`;
    for (const origin of ['https://evil.example', 'null', builder.app.url.replace('https', 'http')])
      expect(await builder.follow(id, '', { query, origin })).toEqual({ refused: 403 });
    expect(await builder.follow(id, '', { query, origin: builder.app.url })).toMatchObject({ code: 1000 });
  });

  it('lets nobody keep any number of streams open', async () => {
    const dora = await builder.account('dora');
    const id = await builder.submitted(dora);
    const sockets = await Promise.all(
      Array.from({ length: 100 }, async () => {
        const socket = builder.socket(id, dora);
        await once(socket, 'open');
        return socket;
      }),
    );
    expect(await builder.follow(id, dora)).toEqual({ refused: 429 });
    for (const socket of sockets) socket.terminate();
    await builder.cancel(id, dora);
    await expect.poll(() => builder.follow(id, dora)).toMatchObject({ code: 1000 });
  });

  it('sends a log whole, in part, and not at all after its build was deleted', async () => {
    const id = await builder.submitted(ann);
    const { builderToken } = await builder.started(id);
    const line = `${'é'.repeat(40)}\n`;
    await builder.say(id, builderToken, 0, line.repeat(5000));
    const output = (headers: Record<string, string> = {}) =>
      builder.app.request(`/v1/build-output/${id}`, { token: ann, headers });
    const whole = await output();
    expect([whole.status, whole.headers['content-type']]).toEqual([200, 'text/plain; charset=utf-8']);
    expect(whole.body).toBe(line.repeat(5000));
    expect(await output({ range: 'bytes=0-80' })).toMatchObject({ status: 206, body: line });
    await builder.app.request(`/v1/build/${id}`, { method: 'DELETE', token: ann });
    expect(await output()).toMatchObject({ status: 200, body: '' });
  });

  describe('with build contexts', () => {
    const contextOf = (text: string): { bytes: Buffer; json: { size: number; digest: string } } => {
      const bytes = Buffer.from(text);
      const digest = `sha256.${createHash('sha256').update(bytes).digest('hex')}`;
      return { bytes, json: { size: bytes.length, digest } };
    };
    const announce = (json: object, token: string): Promise<AppAnswer> =>
      builder.app.request('/v1/build-context', { method: 'POST', token, json });
    async function upload(text: string, token: string): Promise<string> {
      const { bytes, json } = contextOf(text);
      const location = (await announce(json, token)).headers['location'];
      if (location !== undefined) await builder.app.request(String(location), { method: 'PUT', body: bytes });
      return json.digest;
    }
    const isThere = async (digest: string): Promise<boolean> =>
      (await builder.app.get<BlobStore>(CONTEXT_BLOBS).sizeOf(digest as Digest)) !== undefined;

    it('keeps the newest of an account only, and all that its builds need', async () => {
      const emil = await builder.account('emil');
      const first = await upload('context 0', emil);
      const held = await upload('context 1', emil);
      await builder.submitted(emil, { contextDigest: held });
      for (let index = 2; index <= 51; index += 1) await upload(`context ${index}`, emil);
      expect(await isThere(first)).toBe(false);
      expect(await isThere(held)).toBe(true);
      expect(await isThere(contextOf('context 51').json.digest)).toBe(true);
      expect(await isThere(contextOf('context 2').json.digest)).toBe(true);
    });

    it('takes nothing on an address whose token was revoked', async () => {
      await builder.account('fay');
      const made = await builder.token('fay');
      const { bytes, json } = contextOf('of fay');
      const location = String((await announce(json, made.token)).headers['location']);
      await builder.revoke('fay', made.id);
      const put = () => builder.app.request(location, { method: 'PUT', body: bytes });
      await expect.poll(async () => (await announce(json, made.token)).status).toBe(401);
      expect((await put()).body.error).toMatchObject({ code: 401, reason: 'token_revoked' });
    });

    it('takes nothing while it is not known whose token was revoked', async () => {
      const { bytes, json } = contextOf('in doubt');
      const location = String((await announce(json, ann)).headers['location']);
      const fresh = vi
        .spyOn(builder.app.get<TokenVerifier>(TokenVerifier), 'fresh', 'get')
        .mockReturnValue(false);
      onTestFinished(() => fresh.mockRestore());
      const put = () => builder.app.request(location, { method: 'PUT', body: bytes });
      expect((await put()).body.error).toMatchObject({ code: 503, reason: 'revocations_stale' });
      expect(await isThere(json.digest)).toBe(false);
      fresh.mockRestore();
      expect((await put()).status).toBe(201);
    });

    it('keeps what one account gives up while another one uploads it', async () => {
      const [gil, hal] = [await builder.account('gil'), await builder.account('hal')];
      const blobs = builder.app.get<BlobStore>(CONTEXT_BLOBS);
      // Slow, so that the upload of the other one falls between the question whether it is held and the removal.
      const remove = blobs.remove.bind(blobs);
      const slow = vi.spyOn(blobs, 'remove').mockImplementation(async (digest) => {
        await delay(100);
        return remove(digest);
      });
      onTestFinished(() => slow.mockRestore());
      for (let round = 0; round < 3; round += 1) {
        const digest = await upload(`round ${round}`, gil);
        await Promise.all([
          builder.app.request(`/v1/build-context/${digest}`, { method: 'DELETE', token: gil }),
          upload(`round ${round}`, hal),
        ]);
        expect((await builder.submit({ buildRecipe: SCRATCH, contextDigest: digest }, hal)).status).toBe(200);
        await builder.app.request(`/v1/build-context/${digest}`, { method: 'DELETE', token: hal });
      }
    });

    it('removes what a client that went away in the middle left', async () => {
      const { bytes, json } = contextOf('x'.repeat(100_000));
      const location = new URL(String((await announce(json, ann)).headers['location']), builder.app.url);
      const socket = connect({
        host: '127.0.0.1',
        port: Number(location.port),
        ca: builder.app.ca,
        servername: 'localhost',
      });
      await once(socket, 'secureConnect');
      socket.write(
        `PUT ${location.pathname}${location.search} HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${bytes.length}\r\n\r\n`,
      );
      socket.write(bytes.subarray(0, 50_000));
      const incoming = () => readdir(join(builder.app.config.dataFolder('builder'), 'contexts/incoming'));
      await expect.poll(incoming).toHaveLength(1);
      socket.destroy();
      await expect.poll(incoming).toEqual([]);
      // And of a builder that was killed, at its next round.
      await writeFile(join(builder.app.config.dataFolder('builder'), 'contexts/incoming/stream-killed'), 'x');
      await builder.app.get(ContextsService).sweep();
      expect(await incoming()).toEqual([]);
      expect((await announce(json, ann)).headers['location']).toBeDefined();
    });
  });

  it('takes base64 in lines', async () => {
    const definitionRaw = `${base64(SCRATCH).replace(/.{10}/g, '$&\r\n')}\n`;
    expect((await builder.submit({ definitionRaw }, ann)).status).toBe(200);
  });
});

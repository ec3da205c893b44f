import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { BuildsStore } from '#apps/builder/src/builds.store';
import { ManualClock } from '#libs/core';
import { TokenVerifier } from '#libs/server';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { base64, DONE, SCRATCH, TestBuilder } from '../../support/builder.js';
import { sqliteDatabase } from '../../support/databases.js';
import { type RedisServer, startRedis } from '../../support/redis.js';
import { temporaryFolder } from '../../support/temporary.js';

const HOUR = 60 * 60 * 1000;

describe('the end of a build', () => {
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

  const output = async (id: string): Promise<string> =>
    (await builder.app.request(`/v1/build-output/${id}`, { token: ann })).body;

  it('is the last line of its log, whatever the worker is sending at that moment', async () => {
    for (let round = 0; round < 20; round += 1) {
      const id = await builder.submitted(ann);
      const { builderToken } = await builder.started(id);
      const line = `${'x'.repeat(50)}\n`;
      const stream = builder.follow(id, ann);
      const sends = Promise.all(
        Array.from({ length: 20 }, async (_, index) => builder.say(id, builderToken, index * 51, line)),
      );
      await builder.cancel(id, ann);
      await sends;
      const text = await output(id);
      expect(text).toMatch(/^(x{50}\n)*Build cancelled\.\n$/);
      expect(await stream).toEqual({ text, code: 1000 });
    }
  });

  it('comes once, also when worker and owner say so at once', async () => {
    for (let round = 0; round < 10; round += 1) {
      const id = await builder.submitted(ann);
      const { builderToken } = await builder.started(id);
      await Promise.all([
        builder.finish(id, builderToken, { outcome: 'failed', reason: 'exit status 1' }),
        builder.cancel(id, ann),
      ]);
      expect(['Build cancelled.\n', 'Build failed: exit status 1\n']).toContain(await output(id));
    }
  });

  it('has a line of its own, and no control characters', async () => {
    const id = await builder.submitted(ann);
    const { builderToken } = await builder.started(id);
    await builder.say(id, builderToken, 0, 'no line end');
    await builder.finish(id, builderToken, { outcome: 'failed', reason: 'a\nINFO:    b\u001b[2J' });
    expect(await output(id)).toBe(String.raw`no line end
Build failed: a INFO:    b\x1b[2J
`);
  });

  it('does not depend on room for its log', async () => {
    const id = await builder.submitted(ann);
    const { builderToken } = await builder.started(id);
    // As good as a full disk: nothing can be written here.
    await mkdir(join(builder.app.config.dataFolder('builder'), 'logs', `${id}.log`));
    const stream = builder.follow(id, ann);
    expect((await builder.cancel(id, ann)).status).toBe(204);
    expect(await builder.status(id, ann)).toMatchObject({ status: 'Cancelled', isComplete: true });
    expect(await stream).toMatchObject({ code: expect.any(Number) as unknown });
    expect((await builder.say(id, builderToken, 0, 'x')).body.data.wanted).toBe(false);
  });

  describe('of a try', () => {
    it('that was taken for dead is not heard', async () => {
      const id = await builder.submitted(ann);
      const { builderToken } = await builder.started(id);
      const dead = builder.tryOf(id);
      await builder.say(id, builderToken, 0, 'first\n');
      await builder.ticket(id);
      expect((await builder.say(id, builderToken, 6, 'from the dead\n', dead)).body.data).toEqual({
        size: 6,
        wanted: false,
      });
      await builder.finish(id, builderToken, DONE, dead);
      expect(await builder.status(id, ann)).toMatchObject({ status: 'InProgress', isComplete: false });
      expect((await builder.say(id, builderToken, 6, 'second\n')).body.data.wanted).toBe(true);
      await builder.finish(id, builderToken, DONE);
      expect(await output(id)).toBe('first\nsecond\n');
      expect(await builder.status(id, ann)).toMatchObject({ imageSize: 42 });
    });

    it('whose answer was lost is the same try', async () => {
      const id = await builder.submitted(ann);
      const attempts = [];
      for (let time = 0; time < 4; time += 1)
        attempts.push((await builder.ticket(id, 'b'.repeat(24))).body.data.attempt);
      expect(attempts).toEqual([1, 1, 1, 1]);
    });

    it('that was given back does not count', async () => {
      const id = await builder.submitted(ann);
      for (let time = 0; time < 5; time += 1) {
        const { builderToken, attempt } = await builder.started(id);
        expect(attempt).toBe(1);
        await builder.finish(id, builderToken, { outcome: 'returned' });
        expect(await builder.status(id, ann)).toMatchObject({ status: 'Pending', isComplete: false });
        expect((await builder.say(id, builderToken, 0, 'x')).body.data.wanted).toBe(false);
      }
    });
  });

  it('comes with the reason when the token of its owner was revoked', async () => {
    const made = await builder.token('ann');
    const id = await builder.submitted(made.token);
    await builder.revoke('ann', made.id);
    await expect.poll(async () => (await builder.ticket(id)).status, { timeout: 3000 }).toBe(410);
    expect(await builder.status(id, ann)).toMatchObject({
      isComplete: true,
      failureReason: expect.stringContaining('was revoked. Submit it again') as unknown,
    });
  });
});

describe('a build whose rights', () => {
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
  const change = (id: string, part: object) =>
    builder.app.get<BuildsStore>(BuildsStore).update(id, (build) => ({ ...build, ...part }));
  const sealed = async (id: string): Promise<string> =>
    (await builder.app.get<BuildsStore>(BuildsStore).get(id))?.value.tokens ?? '';

  it.each([
    ['are gone', async () => undefined],
    ['were altered', async (id: string) => (await sealed(id)).replace(/^..../, 'AAAA')],
    ['are those of another build', async () => sealed(await builder.submitted(ann))],
    ['are no seal at all', async () => 'x'],
  ])('%s ends with that reason before anybody starts it', async (_, tokens) => {
    const id = await builder.submitted(ann);
    await change(id, { tokens: await tokens(id) });
    const { status, body } = await builder.ticket(id);
    expect([status, body.error.reason]).toEqual([410, 'build_over']);
    const record = await builder.status(id, ann);
    expect(record).toMatchObject({
      isComplete: true,
      failureReason: expect.stringContaining('the rights that were kept for it are not there') as unknown,
    });
    expect(record.startTime).toBeUndefined();
  });

  it('hang on a signing key that was retired ends with that reason', async () => {
    const id = await builder.submitted(ann);
    await change(id, { keyId: 'A'.repeat(43) });
    expect((await builder.ticket(id)).status).toBe(410);
    expect((await builder.status(id, ann)).failureReason).toContain('was revoked. Submit it again');
  });

  it('cannot be looked at is not begun, and waits', async () => {
    const id = await builder.submitted(ann);
    const fresh = vi
      .spyOn(builder.app.get<TokenVerifier>(TokenVerifier), 'fresh', 'get')
      .mockReturnValue(false);
    onTestFinished(() => fresh.mockRestore());
    const { status, body } = await builder.ticket(id);
    expect([status, body.error.reason]).toEqual([503, 'revocations_stale']);
    expect(await builder.status(id, ann)).toMatchObject({ status: 'Pending', isComplete: false });
    fresh.mockRestore();
    expect((await builder.ticket(id)).body.data.attempt).toBe(1);
  });
});

describe('a build and time', () => {
  it('ends when its rights have expired, and keeps its log for months', async () => {
    const clock = new ManualClock(new Date());
    const redis = await startRedis();
    const builder = await TestBuilder.start(await sqliteDatabase(), { redis, clock });
    try {
      const ann = await builder.account('ann');
      const id = await builder.submitted(ann);
      clock.advance(25 * HOUR);
      expect((await builder.ticket(id)).status).toBe(410);
      expect((await builder.status(id, ann)).failureReason).toContain('not done within 24 hours');
    } finally {
      await builder.stop();
      await redis.stop();
    }
  });
});

describe('a builder that was killed', () => {
  it('between the end of a build and the end of its log makes up for it when it starts', async () => {
    const home = await temporaryFolder();
    const redis = await startRedis();
    try {
      const database = await sqliteDatabase();
      const before = await TestBuilder.start(database, { redis, home: home.path });
      const ann = await before.account('ann');
      const id = await before.submitted(ann);
      const { builderToken } = await before.started(id);
      await before.say(id, builderToken, 0, 'hello\n');
      await before.app.get(BuildsStore).update(id, (build) => ({
        ...build,
        status: 'Cancelled',
        completeTime: new Date().toISOString(),
      }));
      await before.stop();
      const after = await TestBuilder.start(database, { redis, home: home.path });
      expect(await after.follow(id, ann)).toEqual({ text: 'hello\nBuild cancelled.\n', code: 1000 });
      // Killed again before that was noted: the line is there once.
      await after.app.get(BuildsStore).update(id, (build) => ({ ...build, logComplete: false }));
      await after.stop();
      const again = await TestBuilder.start(database, { redis, home: home.path });
      expect(await again.follow(id, ann)).toEqual({ text: 'hello\nBuild cancelled.\n', code: 1000 });
      await again.stop();
    } finally {
      await redis.stop();
      await home.remove();
    }
  });
});

describe('a builder with a queue that goes away', () => {
  it('says so at submit, and nothing else stops', async () => {
    const redis = await startRedis();
    const builder = await TestBuilder.start(await sqliteDatabase(), { redis });
    try {
      const ann = await builder.account('ann');
      const id = await builder.submitted(ann);
      await redis.kill();
      const refused = await builder.submit({ definitionRaw: base64(SCRATCH) }, ann);
      expect([refused.status, refused.body.error.reason]).toEqual([503, expect.stringMatching(/^queue_/)]);
      expect((await builder.cancel(id, ann)).status).toBe(204);
      expect(await builder.follow(id, ann)).toEqual({ text: 'Build cancelled.\n', code: 1000 });
    } finally {
      await builder.stop();
      await redis.stop();
    }
  });
});

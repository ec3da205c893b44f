import { afterAll, beforeAll, describe, expect, it } from 'vitest';
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

  it('takes base64 in lines', async () => {
    const definitionRaw = `${base64(SCRATCH).replace(/.{10}/g, '$&\r\n')}\n`;
    expect((await builder.submit({ definitionRaw }, ann)).status).toBe(200);
  });
});

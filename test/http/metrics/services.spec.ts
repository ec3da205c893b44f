import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DONE, TestBuilder } from '../../support/builder.js';
import { sqliteDatabase } from '../../support/databases.js';
import { askMetrics, Numbers, undocumented, withMetrics } from '../../support/metrics.js';
import { type RedisServer, startRedis } from '../../support/redis.js';
import { PASSWORD, World as AuthWorld } from '../auth/world.js';
import { startLibrary, testImage, type World as LibraryWorld } from '../library/world.js';

describe('metrics of auth', () => {
  let world: AuthWorld;
  beforeAll(async () => {
    world = await AuthWorld.start(await withMetrics(sqliteDatabase));
  });
  afterAll(() => world.app.stop());

  const entries = async (action: string, outcome = 'done'): Promise<number> =>
    (await Numbers.of(world.app)).get(
      `scs_auth_audit_entries_total{action="${action}",outcome="${outcome}"}`,
    ) ?? -1;
  const signIns = async (result: string): Promise<number> =>
    (await Numbers.of(world.app)).get(`scs_auth_sign_ins_total{result="${result}"}`) ?? -1;

  it('count tokens that were made and revoked, once they are in the trail', async () => {
    const user = await world.user();
    const before = await entries('token.create');
    const { id } = await world.token(user);
    await expect.poll(() => entries('token.create')).toBe(before + 1);
    await world.send('DELETE', `/tokens/${id}`);
    await expect.poll(() => entries('token.revoke')).toBe(1);
  });

  it('count passwords that were right, wrong, and not looked at any more', async () => {
    const user = await world.user();
    const accepted = await signIns('accepted');
    await world.createToken(user);
    expect(await signIns('accepted')).toBe(accepted + 1);
    expect(await signIns('refused')).toBe(0);
    for (let round = 0; round < 5; round += 1) await world.createToken(user, {}, `${PASSWORD}!`);
    expect(await signIns('refused')).toBe(5);
    expect(await signIns('limited')).toBe(0);
    await world.createToken(user, {}, `${PASSWORD}!`);
    expect(await signIns('limited')).toBe(1);
  });

  it('name nobody', async () => {
    const { text } = await askMetrics(world.app);
    expect(undocumented(text)).toEqual([]);
    for (const label of new Numbers(text).labels)
      expect(label).not.toMatch(/user\d|admin"|[0-9a-f]{16}|eyJ/i);
    expect(text).not.toContain(world.admin);
  });
});

describe('metrics of the library', () => {
  let world: LibraryWorld;
  beforeAll(async () => {
    world = await startLibrary({ open: () => withMetrics(sqliteDatabase) });
  });
  afterAll(() => world.stop());

  it('count pushes and pulls, and their bytes', async () => {
    const bytes = await testImage({ size: 3 * 1024 * 1024 });
    await world.tester.push('tester/tools/one', bytes);
    const path = '/v1/imagefile/tester/tools/one:latest';
    await world.app.request(path);
    // A part is no pull of its own.
    await world.app.request(path, { headers: { range: 'bytes=100-199' } });
    await world.app.request(path, { method: 'HEAD' });
    const numbers = await Numbers.of(world.app);
    expect(numbers.get('scs_library_pushes_total')).toBe(1);
    expect(numbers.get('scs_library_received_bytes_total')).toBe(bytes.length);
    expect(numbers.get('scs_library_pulls_total')).toBe(1);
    expect(numbers.get('scs_library_sent_bytes_total')).toBe(bytes.length + 100);
    expect(numbers.get('scs_library_held_bytes')).toBe(bytes.length);
    expect(numbers.get('scs_ready{check="library database"}')).toBe(1);
  });

  it('do not count what was refused', async () => {
    const before = (await Numbers.of(world.app)).get('scs_library_pushes_total');
    const container = await world.tester.place('tester/tools/two');
    const { status } = await world.other.image(container, `sha256.${'a'.repeat(64)}`);
    expect(status).toBe(403);
    expect((await Numbers.of(world.app)).get('scs_library_pushes_total')).toBe(before);
  });

  it('have one series for all images', async () => {
    // Of our own: Node has others when its collector runs for the first time.
    const own = ({ series }: Numbers) => series.filter((one) => one.startsWith('scs_')).length;
    const before = own(await Numbers.of(world.app));
    for (let round = 0; round < 20; round += 1)
      await world.app.request(`/v1/images/tester/tools/one:t${round}`);
    const numbers = await Numbers.of(world.app);
    expect(numbers.sum('scs_http_requests_total', 'route="/v1/images/*"', 'status="4xx"')).toBe(20);
    expect(own(numbers) - before).toBeLessThan(20);
    expect(undocumented((await askMetrics(world.app)).text)).toEqual([]);
    for (const label of numbers.labels) expect(label).not.toMatch(/tester|tools|[0-9a-f]{16}/i);
  });
});

describe('metrics of the builder', () => {
  let builder: TestBuilder;
  let redis: RedisServer;
  let ann: string;
  beforeAll(async () => {
    redis = await startRedis();
    builder = await TestBuilder.start(await withMetrics(sqliteDatabase), { redis });
    ann = await builder.account('ann');
  });
  afterAll(async () => {
    await builder.stop();
    await redis.stop();
  });

  const ended = async (result: string): Promise<number | undefined> =>
    (await Numbers.of(builder.app)).get(`scs_builder_builds_ended_total{result="${result}"}`);

  it('count builds by how they end, each once, with the time that they waited and ran', async () => {
    const [complete, failed, cancelled] = [
      await builder.submitted(ann),
      await builder.submitted(ann),
      await builder.submitted(ann),
    ];
    await builder.submitted(ann);
    const first = await Numbers.of(builder.app);
    expect(first.get('scs_builder_builds{state="pending"}')).toBe(4);
    expect(first.get('scs_builder_builds{state="running"}')).toBe(0);
    expect(first.get('scs_builder_queue_jobs{state="waiting"}')).toBe(4);
    expect(first.get('scs_builder_queue_jobs{state="active"}')).toBe(0);
    expect(first.get('scs_builder_queue_up')).toBe(1);
    const { builderToken } = await builder.started(complete);
    await builder.finish(complete, builderToken, DONE);
    await builder.finish(complete, builderToken, DONE);
    const other = await builder.started(failed);
    await builder.finish(failed, other.builderToken, { outcome: 'failed', reason: 'exit status 1' });
    await builder.cancel(cancelled, ann);
    await builder.cancel(cancelled, ann);
    expect([await ended('complete'), await ended('failed'), await ended('cancelled')]).toEqual([1, 1, 1]);
    const numbers = await Numbers.of(builder.app);
    expect(undocumented((await askMetrics(builder.app)).text)).toEqual([]);
    expect(numbers.get('scs_builder_wait_seconds_count')).toBe(3);
    expect(numbers.get('scs_builder_run_seconds_count')).toBe(2);
    for (const label of numbers.labels) expect(label).not.toMatch(/[0-9a-f]{16}/i);
  });

  it('say that the queue is away', async () => {
    const away = await TestBuilder.start(await withMetrics(sqliteDatabase));
    const numbers = await Numbers.of(away.app);
    expect(numbers.get('scs_builder_queue_up')).toBe(0);
    expect(numbers.series.filter((series) => series.startsWith('scs_builder_queue_jobs'))).toEqual([]);
    await away.stop();
  });
});

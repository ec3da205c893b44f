import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { waitForEntries } from '../../support/audit.js';
import { base64, DONE, SCRATCH, TestBuilder } from '../../support/builder.js';
import { DATABASES, type TestDatabase } from '../../support/databases.js';
import { type RedisServer, startRedis } from '../../support/redis.js';

describe.each(DATABASES)('the audit trail of the builder on $name', ({ open }) => {
  let database: TestDatabase;
  let redis: RedisServer;
  let builder: TestBuilder;
  let ann: string;

  beforeAll(async () => {
    [database, redis] = await Promise.all([open(), startRedis()]);
    builder = await TestBuilder.start(database, { redis });
    ann = await builder.account('ann');
  });
  afterAll(async () => {
    await builder.stop();
    await Promise.all([database.stop(), redis.stop()]);
  });

  const entriesOf = (subject: string, count: number) =>
    waitForEntries(builder.app, builder.admin, `service=builder&subject=${subject}`, count);

  it('says who submitted a build, and that its worker ended it with the submitter’s token', async () => {
    const id = await builder.submitted(ann, { libraryRef: 'ann/builds/one:1' });
    const { builderToken } = await builder.started(id);
    expect((await builder.finish(id, builderToken, DONE)).status).toBe(200);
    expect((await builder.finish(id, builderToken, DONE)).status).toBe(200);
    const [ended, submitted] = await entriesOf(id, 2);
    expect(submitted).toMatchObject({
      action: 'build.submit',
      outcome: 'done',
      actor: { username: 'ann', via: null },
      subject: { kind: 'build', name: id },
      after: { place: 'ann/builds/one' },
    });
    expect(ended).toMatchObject({
      action: 'build.end',
      outcome: 'done',
      actor: { username: 'ann', via: 'builder', originTokenId: submitted?.actor?.tokenId },
      after: { digest: DONE.imageChecksum, size: DONE.imageSize },
    });
  });

  it('says that a build failed, was cancelled, and was removed from the lists; each once', async () => {
    const failed = await builder.submitted(ann);
    const { builderToken } = await builder.started(failed);
    await builder.finish(failed, builderToken, { outcome: 'failed', reason: 'password=hunter2' });
    const [end] = await entriesOf(failed, 2);
    expect(end).toMatchObject({ action: 'build.end', outcome: 'failed', reason: 'build_failed' });
    expect(JSON.stringify(end)).not.toContain('hunter2');

    const cancelled = await builder.submitted(ann);
    await builder.cancel(cancelled, ann);
    await builder.cancel(cancelled, ann);
    for (const _ of [1, 2])
      await builder.app.request(`/v1/build/${cancelled}`, { method: 'DELETE', token: ann });
    expect((await entriesOf(cancelled, 3)).map(({ action }) => action)).toEqual([
      'build.delete',
      'build.cancel',
      'build.submit',
    ]);
  });

  it('says what was refused, and about what', async () => {
    const bob = await builder.account('bob');
    const answer = await builder.submit({ definitionRaw: base64(SCRATCH), libraryRef: 'ann/x/y:1' }, bob);
    expect(answer.status).toBe(403);
    const [entry] = await entriesOf('ann/x/y', 1);
    expect(entry).toMatchObject({
      action: 'build.submit',
      outcome: 'refused',
      actor: { username: 'bob' },
      subject: { kind: 'container', name: 'ann/x/y' },
      reason: 'may_not_publish',
    });
  });
});

import { newObjectId } from '#libs/core';
import { type JobReference, JobQueue, JobWorker, QUEUE_LIMITS, Signals } from '#libs/queue';
import { Queue, Worker } from 'bullmq';
import { once } from 'node:events';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { lacking, skipped } from '../support/needs.js';
import { type RedisServer, startRedis } from '../support/redis.js';
import { type Script, startScript } from '../support/script.js';

const reason = lacking('redis-server');

/** Every test has a lane of its own: what another has left behind is none of its business. */
let lane = '';
let lanes = 0;
beforeEach(() => {
  lanes += 1;
  lane = `lane${lanes}`;
});
const seconds = (count: number): number => count * 1000;

/** What is to be closed after each test, in reverse order. */
const open: (() => Promise<unknown>)[] = [];
const closing = <T extends { close(): Promise<void> }>(one: T): T => {
  open.push(() => one.close());
  return one;
};
afterEach(async () => {
  for (const close of open.splice(0).toReversed()) await close();
});

/** As somebody connects who has the password of the queue. */
const connectionTo = ({ url, socket }: RedisServer) => ({
  path: socket,
  username: 'scs',
  password: new URL(url).searchParams.get('password') ?? '',
});

function script(url: string, manner: 'done' | 'hold'): Script {
  const one = startScript('queue-worker.script.ts', [url, lane, manner]);
  open.push(() => one.end('SIGKILL'));
  return one;
}

describe.skipIf(reason)(`the queue${skipped(reason)}`, () => {
  let redis: RedisServer;
  beforeAll(async () => {
    redis = await startRedis();
  });
  afterAll(() => redis.stop());

  const newQueue = async (): Promise<JobQueue> => {
    const queue = closing(JobQueue.open(redis.url));
    await queue.check();
    return queue;
  };
  const add = (queue: JobQueue, id = newObjectId()): Promise<JobReference> =>
    queue.add('build', { id }, { lane });

  it('gives a job to its handler, once however often it was added', async () => {
    const queue = await newQueue();
    const id = newObjectId();
    const job = await add(queue, id);
    await add(queue, id);
    await add(queue, id);
    expect(await queue.state(job)).toBe('waiting');
    expect(await queue.counts('build', lane)).toEqual({ waiting: 1, active: 0 });
    const last = await add(queue);
    const worker = script(redis.url, 'done');
    await worker.line((line) => line === `done ${last.key}`);
    expect(worker.lines.filter((line) => line.startsWith('start'))).toEqual([
      `start ${id} 1`,
      `start ${last.key} 1`,
    ]);
  });

  it('takes a waiting job back when it is cancelled, and does not start it again', async () => {
    const queue = await newQueue();
    const job = await add(queue);
    await queue.cancel(job);
    expect(await queue.state(job)).toBe('absent');
    await add(queue, job.key);
    const after = await add(queue);
    const worker = script(redis.url, 'done');
    await worker.line((line) => line === `done ${after.key}`);
    expect(worker.lines.filter((line) => line.includes(job.key))).toEqual([]);
  });

  it('tells the worker that has a cancelled job to stop, within a second', async () => {
    const queue = await newQueue();
    const worker = script(redis.url, 'hold');
    const job = await add(queue);
    await worker.line((line) => line === `start ${job.key} 1`);
    expect(await queue.state(job)).toBe('active');
    const before = performance.now();
    await queue.cancel(job);
    await worker.line((line) => line === `stop ${job.key} cancelled`);
    expect(performance.now() - before).toBeLessThan(seconds(1));
  });

  it('gives the job of a killed worker to another within seconds', async () => {
    const queue = await newQueue();
    const first = script(redis.url, 'hold');
    const job = await add(queue);
    await first.line((line) => line === `start ${job.key} 1`);
    // It is there before: the start of a program takes its time on a busy machine.
    const second = script(redis.url, 'done');
    await second.line((line) => line === 'ready');
    await first.end('SIGKILL');
    const before = performance.now();
    await second.line((line) => line === `done ${job.key}`);
    expect(performance.now() - before).toBeLessThan(QUEUE_LIMITS.lock + 3 * QUEUE_LIMITS.stalledCheck);
    expect(second.lines).toContain(`start ${job.key} 2`);
  });

  it('puts the jobs of a worker that closes back, and another takes them at once', async () => {
    const queue = await newQueue();
    const first = script(redis.url, 'hold');
    const job = await add(queue);
    await first.line((line) => line === `start ${job.key} 1`);
    first.child.kill('SIGTERM');
    await first.line((line) => line === 'closed');
    expect(first.lines).toContain(`stop ${job.key} closing`);
    expect(await queue.state(job)).toBe('waiting');
    const second = script(redis.url, 'done');
    await second.line((line) => line === `done ${job.key}`);
  });

  it('starts a job that throws again, and keeps it as failed when it has had its attempts', async () => {
    const queue = await newQueue();
    const attempts: number[] = [];
    closing(
      await JobWorker.start({
        url: redis.url,
        lane,
        concurrency: 1,
        log: () => undefined,
        handlers: [
          {
            name: 'build',
            handle: (_, { attempt }) => {
              attempts.push(attempt);
              return Promise.reject(new Error('no disk'));
            },
          },
        ],
      }),
    );
    const job = await add(queue);
    await expect.poll(() => queue.state(job), { timeout: seconds(15) }).toBe('failed');
    expect(attempts).toEqual([1, 2, 3]);
    expect(await queue.failed('build', lane)).toEqual([{ ...job, reason: 'no disk' }]);
    await queue.forget(job);
    expect(await queue.state(job)).toBe('absent');
  });

  it('starts no job that somebody put straight into Redis, and keeps none', async () => {
    const queue = await newQueue();
    const forger = new Queue(`build-${lane}`, { connection: connectionTo(redis), prefix: 'scs:jobs' });
    open.push(() => forger.close());
    const [one, another] = [newObjectId(), newObjectId()];
    const kept = { removeOnComplete: false, removeOnFail: false, attempts: 1000 };
    await forger.add('build', { id: another }, { jobId: one, ...kept });
    await forger.add('build', { id: one, extra: 1 }, { jobId: newObjectId(), ...kept });
    await forger.add('bake', { id: another }, { jobId: another, ...kept });
    await forger.add('build', { id: '../../etc' }, { jobId: newObjectId(), ...kept });
    await forger.add('build', { id: newObjectId() }, kept);
    const last = await add(queue);
    const worker = script(redis.url, 'done');
    await worker.line((line) => line === `done ${last.key}`);
    expect(worker.lines.filter((line) => line.startsWith('start'))).toEqual([`start ${last.key} 1`]);
    // The last job says that it is done before the queue knows.
    await expect
      .poll(() => forger.getJobCounts(), { timeout: seconds(5) })
      .toMatchObject({ active: 0, completed: 0, failed: 0, waiting: 0 });
  });

  it('adds a job again whose like somebody marked as done', async () => {
    const queue = await newQueue();
    const id = newObjectId();
    const connection = connectionTo(redis);
    const forger = new Queue(`build-${lane}`, { connection, prefix: 'scs:jobs' });
    const forging = new Worker(`build-${lane}`, () => Promise.resolve(), { connection, prefix: 'scs:jobs' });
    open.push(() => forger.close());
    const done = once(forging, 'completed');
    await forger.add('build', { id }, { jobId: id, removeOnComplete: false });
    await done;
    await forging.close();
    expect(await queue.state(await add(queue, id))).toBe('waiting');
  });

  it('loses no job that it has acknowledged when Redis is killed, and goes on when it is back', async () => {
    const queue = await newQueue();
    const worker = script(redis.url, 'hold');
    const running = await add(queue);
    await worker.line((line) => line === `start ${running.key} 1`);
    await worker.end('SIGKILL');
    const jobs = await Promise.all(Array.from({ length: 50 }, () => add(queue)));
    await redis.kill();
    await expect(add(queue)).rejects.toMatchObject({ code: 'unavailable' });
    await redis.restart();
    await expect.poll(() => queue.state(running).catch(() => 'away'), { timeout: seconds(5) }).toBe('active');
    const late = await add(queue);
    const second = script(redis.url, 'done');
    for (const job of [...jobs, late, running]) await second.line((line) => line === `done ${job.key}`);
  });

  it('keeps a running job with its worker while Redis restarts', async () => {
    const queue = await newQueue();
    const worker = script(redis.url, 'hold');
    const job = await add(queue);
    await worker.line((line) => line === `start ${job.key} 1`);
    await redis.kill();
    await redis.restart();
    await queue.check();
    await queue.cancel(job);
    await worker.line((line) => line === `stop ${job.key} cancelled`);
    expect(worker.lines.filter((line) => line.startsWith('start'))).toEqual([`start ${job.key} 1`]);
  });

  it('is ready after a restart of Redis when it can do everything again', async () => {
    const queue = await newQueue();
    const job = await add(queue);
    for (let round = 0; round < 10; round += 1) {
      await redis.kill();
      await redis.restart();
      await expect.poll(() => queue.check().then(() => true)).toBe(true);
      await queue.cancel(job);
    }
  });

  it('stops a handler whose job another worker has by now', async () => {
    const queue = await newQueue();
    const first = script(redis.url, 'hold');
    const job = await add(queue);
    await first.line((line) => line === `start ${job.key} 1`);
    first.child.kill('SIGSTOP');
    const second = script(redis.url, 'done');
    await second.line((line) => line === `done ${job.key}`);
    first.child.kill('SIGCONT');
    expect(await first.line((line) => line.startsWith(`stop ${job.key}`))).toBe(`stop ${job.key} lost`);
  });
});

describe.skipIf(reason)(`signals${skipped(reason)}`, () => {
  let redis: RedisServer;
  beforeAll(async () => {
    redis = await startRedis();
  });
  afterAll(() => redis.stop());

  it('reach every process that listens to the topic, and nobody else', async () => {
    const [here, there] = [closing(new Signals(redis.url)), closing(new Signals(redis.url))];
    await here.check();
    const heard: (string | undefined)[] = [];
    const first = new AbortController();
    await there.subscribe('log:a', (message) => {
      heard.push(message);
      if (message === 'last') first.abort();
    });
    const off = await there.subscribe('log:a', (message) => heard.push(`again ${message}`));
    await there.subscribe('log:b', (message) => heard.push(`other ${message}`));
    await here.publish('log:a', 'one');
    await expect.poll(() => heard).toEqual(['one', 'again one']);
    off();
    const ended = once(first.signal, 'abort');
    await here.publish('log:a', 'last');
    await ended;
    expect(heard).toEqual(['one', 'again one', 'last']);
  });

  it('tell listeners to look for themselves after Redis was away, and go on', async () => {
    const signals = closing(new Signals(redis.url));
    await signals.check();
    const heard: (string | undefined)[] = [];
    await signals.subscribe('x', (message) => heard.push(message));
    await redis.kill();
    await expect(signals.publish('x', 'nobody')).rejects.toMatchObject({ code: 'unavailable' });
    await redis.restart();
    await expect.poll(() => heard, { timeout: seconds(5) }).toEqual([undefined]);
    await signals.check();
    await signals.publish('x', 'back');
    await expect.poll(() => heard).toEqual([undefined, 'back']);
  });

  it('can be waited for before Redis is there', async () => {
    await redis.kill();
    const signals = closing(new Signals(redis.url));
    const heard: (string | undefined)[] = [];
    await signals.subscribe('x', (message) => heard.push(message));
    await redis.restart();
    await expect.poll(() => heard, { timeout: seconds(5) }).toEqual([undefined]);
  });
});

describe.skipIf(reason)(`a queue that cannot be reached${skipped(reason)}`, () => {
  const refused = async (url: string): Promise<unknown> => {
    const queue = closing(JobQueue.open(url));
    const added = await queue.add('build', { id: newObjectId() }, { lane }).catch((error: unknown) => error);
    const checked = await queue.check().catch((error: unknown) => error);
    expect(added).toMatchObject({ code: 'unavailable' });
    return checked;
  };

  it('says so in one sentence for each reason', async () => {
    const redis = await startRedis();
    expect(await refused(redis.wrongPasswordUrl)).toMatchObject({
      code: 'unavailable',
      reason: 'queue_password',
      message: expect.stringContaining('does not accept the user or the password'),
    });
    // The user `default` has rights (see startRedis), but is nobody's to use.
    expect(await refused(`unix:${redis.socket}`)).toMatchObject({ reason: 'queue_password' });
    await redis.kill();
    expect(await refused(redis.url)).toMatchObject({ reason: 'queue_stale_socket' });
    await redis.stop();
    expect(await refused(`unix:/nonexistent/redis.sock?password=p`)).toMatchObject({
      reason: 'queue_stale_socket',
    });
    expect(await refused('rediss://u:p@127.0.0.1:1')).toMatchObject({ reason: 'queue_refused' });
    expect(await refused('rediss://u:p@nowhere.invalid:6379')).toMatchObject({
      reason: 'queue_unknown_host',
    });
  });

  it('answers in time when Redis hangs', async () => {
    const redis = await startRedis();
    const queue = closing(JobQueue.open(redis.url));
    await queue.check();
    process.kill(redis.pid, 'SIGSTOP');
    const added = queue.add('build', { id: newObjectId() }, { lane });
    await expect(added).rejects.toMatchObject({ code: 'unavailable', reason: 'queue_unreachable' });
    process.kill(redis.pid, 'SIGCONT');
    await redis.stop();
  });
});

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type OwnRedis, prepareRedis } from '#apps/supervisor/src/redis';
import { loadConfig, prepareHome } from '#libs/config';
import { newObjectId } from '#libs/core';
import { JobQueue } from '#libs/queue';
import { lacking, skipped } from '../support/needs.js';
import { temporaryFolder } from '../support/temporary.js';

const reason = lacking('redis-server');

describe.skipIf(reason)(`the Redis of an instance${skipped(reason)}`, () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let child: ChildProcess | undefined;
  beforeEach(async () => {
    folder = await temporaryFolder();
  });
  afterEach(async () => {
    await kill();
    await folder.remove();
  });

  /** As the supervisor starts it: with new passwords for every run, on the same data. */
  async function start(): Promise<OwnRedis> {
    const config = loadConfig({ SCS_HOME: join(folder.path, 'home') });
    prepareHome(config);
    const redis = prepareRedis(config, { PATH: process.env.PATH });
    if (redis === undefined) throw new Error('No redis-server');
    const [program, ...args] = redis.plan.command;
    child = spawn(program, args, { env: redis.plan.env, stdio: 'ignore' });
    await redis.plan.ready(child);
    return redis;
  }

  async function kill(): Promise<void> {
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  }

  async function withQueue<T>(redis: OwnRedis, work: (queue: JobQueue) => Promise<T>): Promise<T> {
    const queue = JobQueue.open(readFileSync(redis.urlFile, 'utf8').trim());
    try {
      await queue.check();
      return await work(queue);
    } finally {
      await queue.close();
    }
  }

  it('has every job again that it acknowledged before kill -9', async () => {
    const jobs = await withQueue(await start(), async (queue) => {
      const added = [];
      for (let count = 0; count < 20; count += 1)
        added.push(await queue.add('build', { id: newObjectId() }, { lane: 'amd64' }));
      await kill();
      return added;
    });
    const states = await withQueue(await start(), (queue) =>
      Promise.all(jobs.map((job) => queue.state(job))),
    );
    expect(states).toEqual(jobs.map(() => 'waiting'));
  });

  it('lets nobody in without the password of this run', async () => {
    const url = new URL(readFileSync((await start()).urlFile, 'utf8').trim());
    for (const [username, password] of [
      ['scs', 'wrong'],
      ['default', ''],
    ] as const) {
      const queue = JobQueue.open(`unix:${url.pathname}?username=${username}&password=${password}`);
      await expect(queue.check()).rejects.toThrow('password');
      await queue.close();
    }
  });
});

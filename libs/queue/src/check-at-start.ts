import { randomBytes } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import { DomainError } from '#libs/core';
import type { Redis } from 'ioredis';
import { PREFIX, RedisConnection } from './connection.js';
import { QUEUE_LIMITS } from './limits.js';

/** What may pass while a machine starts. Everything else is a setting, and stays wrong. */
const MAY_PASS = new Set(['queue_refused', 'queue_stale_socket', 'queue_unreachable', 'queue_unknown_host']);

/**
 * Looks at the start of a service whether the queue can be used: that it is there, trusted, lets this user in and lets it do
 * what queue, workers and signals do. Later Redis may go and come as it likes; a wrong password should not wait for a build.
 * @throws DomainError with the sentence of what is in the way; of what may pass, after {@link QUEUE_LIMITS.startPatience}
 */
export async function checkQueueAtStart(url: string): Promise<void> {
  const connection = new RedisConnection(url, 'answers');
  try {
    for (const deadline = performance.now() + QUEUE_LIMITS.startPatience; ; await wait(50)) {
      try {
        await connection.check();
        break;
      } catch (error) {
        if (!(error instanceof DomainError) || !MAY_PASS.has(error.reason)) throw error;
        if (performance.now() > deadline) throw error;
      }
    }
    await tryEverything(connection.client).catch((error: unknown) => {
      throw connection.problem(error);
    });
  } finally {
    connection.close();
  }
}

/** One command of each kind that BullMQ, workers and signals use, on keys and a channel of their own. */
async function tryEverything(client: Redis): Promise<void> {
  const name = `${PREFIX}:jobs:check:${randomBytes(8).toString('hex')}`;
  const keys = ['string', 'hash', 'list', 'set', 'stream'].map((kind) => `${name}:${kind}`);
  await client.info();
  await client.client('SETNAME', `${PREFIX}:check`);
  await client.set(`${name}:lock`, '1', 'PX', 1_000);
  await client.eval(EVERYTHING, keys.length, ...keys);
  await client.bzpopmin(`${name}:set`, 0.01);
  const topic = `${PREFIX}:signal:check`;
  await client.publish(topic, '');
  await client.subscribe(topic);
}

const EVERYTHING = `
redis.call('SET', KEYS[1], '1', 'PX', 1000)
redis.call('HSET', KEYS[2], 'a', '1')
redis.call('LPUSH', KEYS[3], '1')
redis.call('ZADD', KEYS[4], 1, 'a')
redis.call('XADD', KEYS[5], 'MAXLEN', '~', 1, '*', 'a', '1')
return redis.call('DEL', unpack(KEYS))
`;

import { DomainError, messageOf } from '#libs/core';
import { Queue } from 'bullmq';
import { PREFIX, type QueueLog, RedisConnection } from './connection.js';

import {
  checkKey,
  JOBS,
  type JobName,
  type JobPayload,
  type JobReference,
  optionsOf,
  queueName,
} from './jobs.js';
import { cancelKey, cancelTopic } from './cancellation.js';
import { QUEUE_LIMITS } from './limits.js';
import { Signals } from './signals.js';

export type JobState =
  | 'waiting'
  | 'active'
  /** Started as often as it may be, and never finished. */
  | 'failed'
  /** Never added, finished, cancelled before it began, or lost with Redis. */
  | 'absent';

/** Adds jobs, and asks about them. For the service that owns the documents which the jobs are about. */
export class JobQueue {
  readonly #connection: RedisConnection;
  readonly #signals: Signals;
  readonly #queues = new Map<string, Queue>();

  private constructor(connection: RedisConnection, signals: Signals) {
    this.#connection = connection;
    this.#signals = signals;
  }

  /** Redis may come later: until then every call says that it is not there. @throws DomainError for an address that is none */
  static open(url: string, log?: QueueLog): JobQueue {
    return new JobQueue(new RedisConnection(url, 'answers', log), new Signals(url));
  }

  /**
   * Adds a job; resolves when Redis has it. Adding a job that is waiting or active changes nothing; one that has failed
   * is started again. A cancelled job is never started again.
   * @throws DomainError `unavailable` with a sentence when it could not be added for certain: adding it again is safe
   */
  async add<N extends JobName>(
    name: N,
    payload: JobPayload<N>,
    { lane }: { readonly lane: string },
  ): Promise<JobReference> {
    const spec = JOBS[name];
    const data = spec.payload.parse(payload);
    if (Buffer.byteLength(JSON.stringify(data)) > QUEUE_LIMITS.payloadBytes)
      throw new TypeError(`Expected at most ${QUEUE_LIMITS.payloadBytes} bytes for the payload of ${name}`);
    const key = checkKey(spec.key(data));
    await this.#run(name, lane, async (queue) => {
      const known = await queue.getJob(key);
      // One that has ended would keep the new one away. Those that are done leave nothing, unless somebody else put it there.
      if (known !== undefined && ((await known.isFailed()) || (await known.isCompleted())))
        await known.remove();
      await queue.add(name, data, { jobId: key, ...optionsOf(name) });
    });
    return { name, key, lane };
  }

  /** @throws DomainError `unavailable` */
  async state({ name, key, lane }: JobReference): Promise<JobState> {
    return this.#run(name, lane, async (queue) => {
      const state = await queue.getJobState(checkKey(key));
      switch (state) {
        case 'waiting':
        case 'delayed':
        case 'prioritized':
        case 'waiting-children':
          return 'waiting';
        case 'active':
          return 'active';
        case 'failed':
          return 'failed';
        case 'completed':
        case 'unknown':
        default:
          return 'absent';
      }
    });
  }

  /**
   * Takes a job that waits out of the queue, and tells the worker that has it to stop. Whoever takes it later is told too.
   * The caller has stored that it is cancelled before: this only makes it happen soon.
   * @throws DomainError `unavailable`
   */
  async cancel({ name, key, lane }: JobReference): Promise<void> {
    const queueOf = queueName(name, lane);
    checkKey(key);
    await this.#run(name, lane, async (queue) => {
      await this.#connection.client.set(cancelKey(queueOf, key), '1', 'PX', QUEUE_LIMITS.cancellation);
      await this.#signals.publish(cancelTopic(queueOf), key);
      const job = await queue.getJob(key);
      if (job === undefined) return;
      // A worker may take it between the question and the removal: then it holds the lock, and has been told.
      await job.remove().catch((error: unknown) => {
        if (!/lock/i.test(messageOf(error))) throw error;
      });
    });
  }

  /** Jobs that were started as often as they may be, with what the last attempt said. At most 100. @throws DomainError `unavailable` */
  async failed(
    name: JobName,
    lane: string,
  ): Promise<readonly (JobReference & { readonly reason: string })[]> {
    return this.#run(name, lane, async (queue) => {
      const jobs = await queue.getFailed(0, 99);
      return jobs.map((job) => ({ name, lane, key: job.id ?? '', reason: job.failedReason ?? '' }));
    });
  }

  /** Removes what is left of a failed job, once its service has noted it. @throws DomainError `unavailable` */
  async forget({ name, key, lane }: JobReference): Promise<void> {
    await this.#run(name, lane, async (queue) => {
      const job = await queue.getJob(checkKey(key));
      if (job !== undefined && (await job.isFailed())) await job.remove();
    });
  }

  /** @throws DomainError `unavailable` */
  async counts(name: JobName, lane: string): Promise<{ readonly waiting: number; readonly active: number }> {
    return this.#run(name, lane, async (queue) => {
      const counts = await queue.getJobCounts('waiting', 'delayed', 'prioritized', 'active');
      const of = (state: string): number => counts[state] ?? 0;
      return { waiting: of('waiting') + of('delayed') + of('prioritized'), active: of('active') };
    });
  }

  /** For readiness: resolves when Redis answers on every connection of this queue. @throws DomainError `unavailable` with a sentence */
  async check(): Promise<void> {
    await Promise.all([this.#connection.check(), this.#signals.check()]);
  }

  async close(): Promise<void> {
    await Promise.allSettled([...this.#queues.values()].map((queue) => queue.close()));
    await this.#signals.close();
    this.#connection.close();
  }

  async #run<T>(name: JobName, lane: string, work: (queue: Queue) => Promise<T>): Promise<T> {
    const queue = this.#queue(queueName(name, lane));
    try {
      return await work(queue);
    } catch (error) {
      // A TypeError is ours; all else comes from Redis or from the way there.
      if (error instanceof DomainError || error instanceof TypeError) throw error;
      throw this.#connection.problem(this.#connection.ready ? error : undefined);
    }
  }

  #queue(name: string): Queue {
    // BullMQ asks for the version once, when it is made, and is of no use when that fails: so only with a connection.
    if (!this.#connection.ready) throw this.#connection.problem();
    let queue = this.#queues.get(name);
    if (queue === undefined) {
      const made = new Queue(name, {
        connection: this.#connection.client,
        prefix: `${PREFIX}:jobs`,
        skipWaitingForReady: true,
      });
      made.on('error', () => undefined);
      made.waitUntilReady().catch(() => this.#queues.delete(name));
      this.#queues.set(name, made);
      queue = made;
    }
    return queue;
  }
}

import { Queue } from 'bullmq';
import { laneOfThisMachine } from '#libs/queue';
import { untilNothing } from '../soak/until.mjs';

const PREFIX = 'scs:jobs';
/** What a forger would like: never gone, never given up. */
const KEPT = { removeOnComplete: false, removeOnFail: false, attempts: 1000 };

/** The queue of builds as somebody sees it who has its password, and not this program. */
export class ForgedQueue {
  #redis;
  #queue;
  #name = `build-${laneOfThisMachine()}`;

  /** @param redis a connection; {@link close} ends it */
  constructor(redis) {
    this.#redis = redis;
    this.#queue = new Queue(this.#name, { connection: redis, prefix: PREFIX, skipVersionCheck: true });
    this.#queue.on('error', () => undefined);
  }

  add(jobId, data, { name = 'build' } = {}) {
    return this.#queue.add(name, data, { jobId, ...KEPT });
  }

  /** A job as it lies in Redis, byte for byte. */
  async copy(id) {
    return this.#redis.hgetallBuffer(`${PREFIX}:${this.#name}:${id}`);
  }

  /** Puts a job there without any program of a queue: its fields, or none, and its id in the list of those that wait. */
  async put(id, fields = {}) {
    if (Object.keys(fields).length > 0) await this.#redis.hset(`${PREFIX}:${this.#name}:${id}`, fields);
    await this.#redis.lpush(`${PREFIX}:${this.#name}:wait`, id);
  }

  async take(id) {
    await (await this.#queue.getJob(id))?.remove();
  }

  /** Resolves when no job is left, in any state. */
  async drained() {
    await untilNothing('jobs in the queue', async () => {
      const counts = await this.#queue.getJobCounts('waiting', 'active', 'delayed', 'failed', 'completed');
      const left = Object.entries(counts).filter(([, count]) => count > 0);
      return left.map(([state, count]) => `${count} ${state}`);
    });
  }

  async close() {
    await this.#queue.close();
    this.#redis.disconnect();
  }
}

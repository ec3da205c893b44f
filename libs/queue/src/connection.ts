import { Redis } from 'ioredis';
import { type ConnectionOptions, parseRedisUrl, type RedisAddress } from './address.js';
import { queueError } from './errors.js';
import { QUEUE_LIMITS } from './limits.js';

export type QueueLog = (message: string) => void;

/** Where the keys of this program are in Redis. BullMQ's own are below `scs:jobs`. */
export const PREFIX = 'scs';

/** How a connection behaves when Redis is away. */
export type Patience =
  /** Says so at once: for whoever answers a request, and for subscribers, who subscribe again themselves. */
  | 'answers'
  /** Waits for as long as it takes: for workers. */
  | 'waits';

/**
 * A connection that is made again for as long as it is not closed, and knows why it is not there.
 * Every loss and every return is logged once.
 */
export class RedisConnection {
  readonly client: Redis;
  readonly where: string;
  #error: unknown;
  #announced = false;
  #closed = false;

  /** @throws DomainError `bad_request` for an address that is none */
  constructor(url: string, patience: Patience, log: QueueLog = () => undefined) {
    const address = parseRedisUrl(url);
    this.where = address.where;
    this.client = new Redis({ ...address.options, ...manner(address, patience) });
    this.client.on('error', (error) => {
      this.#error = error;
      if (this.#announced || this.#closed) return;
      this.#announced = true;
      log(this.problem().message);
    });
    this.client.on('ready', () => {
      this.#error = undefined;
      if (this.#announced) log(`Redis at ${this.where} answers again`);
      this.#announced = false;
    });
  }

  get ready(): boolean {
    return this.client.status === 'ready';
  }

  /** Why it is not ready, as a sentence; `cause` is what a command has just failed with. */
  problem(cause?: unknown): ReturnType<typeof queueError> {
    return queueError(cause ?? this.#error, this.where);
  }

  /** Resolves when Redis answers. @throws DomainError with a sentence when it does not, after {@link QUEUE_LIMITS.answer} at most */
  async check(): Promise<void> {
    try {
      if (!this.ready) await this.#nextAttempt();
      await this.client.ping();
    } catch (error) {
      throw this.problem(this.ready ? error : undefined);
    }
  }

  close(): void {
    this.#closed = true;
    this.client.disconnect();
  }

  /** Resolves when the attempt to connect that is under way succeeds, and rejects when it does not. */
  #nextAttempt(): Promise<void> {
    return new Promise((resolve, reject) => {
      const done = (settle: () => void): void => {
        clearTimeout(timer);
        this.client.off('ready', onReady);
        this.client.off('error', onFailure);
        this.client.off('end', onFailure);
        settle();
      };
      const onReady = (): void => done(resolve);
      const onFailure = (): void => done(() => reject(new Error('not connected')));
      const timer = setTimeout(onFailure, QUEUE_LIMITS.answer);
      this.client.on('ready', onReady);
      this.client.on('error', onFailure);
      this.client.on('end', onFailure);
    });
  }
}

function manner(address: RedisAddress, patience: Patience): ConnectionOptions {
  const common: ConnectionOptions = {
    connectTimeout: QUEUE_LIMITS.answer,
    retryStrategy: (times) => Math.min(50 * times, QUEUE_LIMITS.reconnect),
    // Also when it answers with an error: a password that is corrected on the server is found without a restart.
    reconnectOnError: (error) => /NOAUTH|WRONGPASS|READONLY/.test(error.message),
    autoResubscribe: false,
    ...(address.options.path === undefined ? { keepAlive: 10_000 } : {}),
  };
  return patience === 'answers'
    ? { ...common, enableOfflineQueue: false, maxRetriesPerRequest: 0, commandTimeout: QUEUE_LIMITS.answer }
    : { ...common, maxRetriesPerRequest: null };
}

import { PREFIX, type QueueLog, RedisConnection } from './connection.js';
import { QUEUE_LIMITS } from './limits.js';

const CHANNEL = `${PREFIX}:signal:`;

/** Told a message, or `undefined` when messages may have been missed: then only the stored state knows. */
export type SignalListener = (message: string | undefined) => void;

/**
 * Messages between processes that say "look again", at most once and to whoever listens now. What they announce is always
 * stored elsewhere first: a lost signal costs time, never truth.
 */
export class Signals {
  readonly #publisher: RedisConnection;
  readonly #subscriber: RedisConnection;
  readonly #listeners = new Map<string, Set<SignalListener>>();
  #lost = false;

  /** @throws DomainError for an address that is none; Redis itself may come later */
  constructor(url: string, log?: QueueLog) {
    this.#publisher = new RedisConnection(url, 'answers', log);
    this.#subscriber = new RedisConnection(url, 'answers');
    const { client } = this.#subscriber;
    client.on('message', (channel: string, message: string) => {
      for (const listener of this.#listeners.get(channel) ?? []) listener(message);
    });
    client.on('close', () => {
      this.#lost = true;
    });
    client.on('ready', () => void this.#listenAgain());
  }

  /**
   * Tells whoever listens to the topic. Succeeds without listeners.
   * @throws DomainError `unavailable` when Redis does not answer; TypeError for a message that is too long
   */
  async publish(topic: string, message: string): Promise<void> {
    if (Buffer.byteLength(message) > QUEUE_LIMITS.signalBytes)
      throw new TypeError(`Expected at most ${QUEUE_LIMITS.signalBytes} bytes for a signal`);
    try {
      await this.#publisher.client.publish(CHANNEL + topic, message);
    } catch (error) {
      throw this.#publisher.problem(this.#publisher.ready ? error : undefined);
    }
  }

  /**
   * Listens to a topic from the moment that this resolves until the function it gives is called. Where Redis is away it
   * resolves all the same, and the listener is told `undefined` when Redis is back.
   */
  async subscribe(topic: string, listener: SignalListener): Promise<() => void> {
    const channel = CHANNEL + topic;
    const listeners = this.#listeners.get(channel) ?? new Set();
    listeners.add(listener);
    this.#listeners.set(channel, listeners);
    if (!this.#subscriber.ready) await this.#subscriber.check().catch(() => undefined);
    await this.#listen([channel]);
    return () => {
      listeners.delete(listener);
      if (listeners.size > 0 || this.#listeners.get(channel) !== listeners) return;
      this.#listeners.delete(channel);
      this.#subscriber.client.unsubscribe(channel).catch(() => undefined);
    };
  }

  async #listen(channels: readonly string[]): Promise<void> {
    try {
      await this.#subscriber.client.subscribe(...channels);
    } catch {
      // Not connected, or cut off right now: the next `ready` does it.
      this.#lost = true;
    }
  }

  async #listenAgain(): Promise<void> {
    const lost = this.#lost;
    this.#lost = false;
    const channels = [...this.#listeners.keys()];
    if (channels.length === 0) return;
    await this.#listen(channels);
    if (!lost || this.#lost) return;
    for (const listeners of this.#listeners.values()) for (const listener of listeners) listener(undefined);
  }

  /** @throws DomainError with a sentence when Redis does not answer */
  check(): Promise<void> {
    return this.#publisher.check();
  }

  close(): Promise<void> {
    this.#listeners.clear();
    this.#publisher.close();
    this.#subscriber.close();
    return Promise.resolve();
  }
}

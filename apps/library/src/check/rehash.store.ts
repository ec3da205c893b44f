import type { Digest } from '#libs/core';
import type { BlobHealth } from '../storage/blobHealth.store.js';

/** How far the hashing of a blob has come. */
export interface HashProgress {
  readonly isDone: boolean;
  /** Bytes. */
  readonly done: number;
}

interface Job {
  done: number;
  readonly stop: AbortController;
  readonly ended: Promise<void>;
  forget: NodeJS.Timeout | undefined;
}

/** A blob that nobody asks about any more is not read to its end. */
const FORGOTTEN = 2 * 60 * 1000;

/** Hashes blobs for checks. One that takes longer than a request goes on until the next request asks about it. */
export class Rehash {
  readonly #health: BlobHealth;
  readonly #jobs = new Map<Digest, Job>();

  constructor(health: BlobHealth) {
    this.#health = health;
  }

  /**
   * Hashes a blob, or waits for that.
   * @param wait milliseconds at most
   * @throws DomainError when the store cannot be asked
   */
  async of(digest: Digest, wait: number): Promise<HashProgress> {
    const job = this.#jobs.get(digest) ?? this.#begin(digest);
    clearTimeout(job.forget);
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<'late'>((resolve) => {
      timer = setTimeout(() => resolve('late'), wait);
    });
    try {
      const isLate = (await Promise.race([job.ended, late])) === 'late';
      if (isLate) job.forget = setTimeout(() => job.stop.abort(), FORGOTTEN).unref();
      else this.#jobs.delete(digest);
      return { isDone: !isLate, done: job.done };
    } catch (error) {
      this.#jobs.delete(digest);
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Stops what is under way. */
  stop(): void {
    for (const { stop, forget } of this.#jobs.values()) {
      clearTimeout(forget);
      stop.abort();
    }
    this.#jobs.clear();
  }

  #begin(digest: Digest): Job {
    const stop = new AbortController();
    const onBytes = (bytes: number): void => {
      job.done += bytes;
    };
    const ended = this.#health.examine(digest, { signal: stop.signal, onBytes }).then(() => undefined);
    // Whoever asks next hears of a failure.
    ended.catch(() => undefined);
    stop.signal.addEventListener('abort', () => this.#jobs.delete(digest));
    const job: Job = { done: 0, stop, ended, forget: undefined };
    this.#jobs.set(digest, job);
    return job;
  }
}

import { setTimeout as wait } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { type KeystoreSettings, ScsConfig } from '#libs/config';
import { DomainError } from '#libs/core';
import { Metrics, networkOf } from '#libs/server';
import { LIMITS } from './limits.js';
import type { Submitter } from './submitter.js';

const HOUR = 3_600_000;
const SECOND = 1000;
/** A client that was silent may begin with as many as in so many seconds: a whole cluster verifies behind one address. */
const GETS_AT_ONCE = 5;
const SEARCHES_AT_ONCE = 2;

/** How often who may ask (keystore contract §4.1). Counted in memory, for each process. */
@Injectable()
export class Rates {
  readonly #gets: Pace;
  readonly #searches: Pace;
  readonly #adds: Pace;
  readonly #paced;

  constructor({ keystore }: ScsConfig, metrics: Metrics) {
    this.#paced = metrics.counter({
      name: 'scs_keystore_paced_total',
      help: 'Requests that came too fast: get = held up, search and add = refused',
      labels: { op: ['get', 'search', 'add'] },
    });
    const { gets, searches, adds }: KeystoreSettings = keystore;
    this.#gets = new Pace(SECOND / gets, gets * GETS_AT_ONCE);
    this.#searches = new Pace(SECOND / searches, searches * SEARCHES_AT_ONCE);
    this.#adds = new Pace(HOUR / adds, adds);
  }

  /**
   * Counts a key that is fetched. Whoever fetches too many has to wait, and is never refused: to gpg that would be a key that does
   * not exist.
   * @returns undefined when there is nothing to wait for
   */
  get(address: string): Promise<void> | undefined {
    const late = this.#gets.take(networkOf(address), LIMITS.heldUp);
    if (late <= 0) return undefined;
    this.#paced({ op: 'get' });
    return wait(late);
  }

  /** Counts a search. @throws DomainError `too_many_requests` */
  search(address: string): void {
    this.#refuse('search', this.#searches.take(networkOf(address), 0), 'searches');
  }

  /** Counts an upload. @throws DomainError `too_many_requests` */
  add({ actor, from }: Submitter): void {
    this.#refuse('add', this.#adds.take(actor?.accountId ?? networkOf(from.address), 0), 'uploads of keys');
  }

  #refuse(op: 'search' | 'add', late: number, what: string): void {
    if (late <= 0) return;
    this.#paced({ op });
    const retryAfter = Math.ceil(late / 1000);
    throw new DomainError('too_many_requests', `Too many ${what}: try again in ${retryAfter} seconds`, {
      reason: 'too_many_requests',
      retryAfter,
    });
  }
}

/** Lets each key do something at a steady pace, and some of it at once after a rest. A number for each key is all that it keeps. */
export class Pace {
  /** When everything would have been done that was let through, in milliseconds. */
  readonly #due = new Map<string, number>();
  #swept = Number.NEGATIVE_INFINITY;

  /**
   * @param interval milliseconds from one to the next
   * @param atOnce how many may come together
   * @param elapsed milliseconds that only grow
   */
  constructor(
    private readonly interval: number,
    private readonly atOnce: number,
    private readonly elapsed: () => number = () => performance.now(),
  ) {}

  /**
   * Counts one for a key.
   * @param mostLate with 0 one that is too early is not counted: it is refused. Otherwise it is counted as if it waited, so long at most
   * @returns milliseconds that it is too early; 0 = it may be done now
   */
  take(key: string, mostLate: number): number {
    const now = this.elapsed();
    const due = Math.max(this.#due.get(key) ?? 0, now) + this.interval;
    // The rest of a millisecond is nothing to wait for, and may be of the arithmetic alone.
    const late = Math.floor(due - now - this.interval * this.atOnce);
    if (late > 0 && mostLate === 0) return late;
    const over = Math.max(0, late - mostLate);
    if (!this.#due.has(key)) this.#makeRoom(now);
    this.#due.set(key, due - over);
    return Math.max(0, late - over);
  }

  get size(): number {
    return this.#due.size;
  }

  /** Whoever is through is forgotten, looked for once a second at most; where all are at it, who came first. */
  #makeRoom(now: number): void {
    if (this.#due.size < LIMITS.rememberedRates) return;
    if (now - this.#swept >= SECOND) {
      this.#swept = now;
      for (const [key, due] of this.#due) if (due <= now) this.#due.delete(key);
    }
    const [oldest] = this.#due.keys();
    if (this.#due.size >= LIMITS.rememberedRates && oldest !== undefined) this.#due.delete(oldest);
  }
}

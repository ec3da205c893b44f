import { Inject, Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { LIBRARY_EVENT_KINDS } from '#libs/contract';
import { type Clock, messageOf } from '#libs/core';
import { CLOCK, LOG, type Logger, Metrics } from '#libs/server';
import type { Change } from '../database.store.js';
import { LIBRARY_LIMITS, type LibraryLimits } from '../limits.js';
import { EventFeed, type WaitingEvent } from './feed.store.js';

/** What else has to come of events that get their numbers, in the same commit. */
export interface FanOut {
  readonly writes: readonly Change[];
  /** Called when the commit was applied. */
  readonly done: () => Promise<void>;
}

/**
 * Moves events from the inbox into the feed, many in one commit. Several may be at work on one database: the numbers as ids, and the
 * revision of the document that counts, let one of them win, and the others go on behind it.
 */
@Injectable()
export class Sequencer implements OnApplicationBootstrap, OnApplicationShutdown {
  readonly #count;
  readonly #listeners: (() => void)[] = [];
  #fanOut: (events: readonly WaitingEvent[]) => Promise<FanOut> = async () => ({
    writes: [],
    done: async () => undefined,
  });
  #noted = Number.NEGATIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;
  #due = Number.POSITIVE_INFINITY;
  #running: Promise<void> | undefined;
  #stopped = false;
  #failing = false;

  constructor(
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(LOG) private readonly log: Logger,
    @Inject(LIBRARY_LIMITS) private readonly limits: LibraryLimits,
    private readonly feed: EventFeed,
    metrics: Metrics,
  ) {
    this.#count = metrics.counter({
      name: 'scs_library_events_total',
      help: 'Events that came into the feed',
      labels: { kind: LIBRARY_EVENT_KINDS },
    });
    feed.onWrite(() => this.#note());
  }

  /** What an earlier process left gets its numbers. */
  async onApplicationBootstrap(): Promise<void> {
    await this.#round();
  }

  /** Before the module closes the database. */
  async onApplicationShutdown(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#running;
    await this.#moveAll().catch((error: unknown) => this.#report(error));
  }

  /** Calls `listener` when this process has brought events into the feed. */
  onEvents(listener: () => void): void {
    this.#listeners.push(listener);
  }

  /** Says what has to come of events. Once. */
  useFanOut(fanOut: (events: readonly WaitingEvent[]) => Promise<FanOut>): void {
    this.#fanOut = fanOut;
  }

  /** Forgets events that are kept no longer. */
  async sweep(): Promise<void> {
    const { eventsKept, eventsMost, eventsForgotten } = this.limits;
    const before = new Date(this.clock.now().getTime() - eventsKept).toISOString();
    while ((await this.feed.forget(before, eventsMost, eventsForgotten)) === eventsForgotten);
  }

  /** An event is about to be committed: look soon. */
  #note(): void {
    this.#noted = performance.now();
    this.#schedule(this.limits.eventsBusy);
  }

  #schedule(wait: number): void {
    const due = performance.now() + wait;
    if (this.#stopped || due >= this.#due) return;
    clearTimeout(this.#timer);
    this.#due = due;
    // The end of a process moves everything by itself.
    this.#timer = setTimeout(() => void this.#round(), wait).unref();
  }

  #round(): Promise<void> {
    this.#due = Number.POSITIVE_INFINITY;
    this.#running ??= this.#work().finally(() => (this.#running = undefined));
    return this.#running;
  }

  async #work(): Promise<void> {
    let moved = 0;
    try {
      moved = await this.#moveAll();
      this.#report(undefined);
    } catch (error) {
      this.#report(error);
    }
    const { eventsBusy, eventsSettle, eventsIdle } = this.limits;
    // A commit that began with the write of an event may still be under way.
    const recent = performance.now() - this.#noted < eventsSettle;
    this.#schedule(moved > 0 || recent || this.#failing ? eventsBusy : eventsIdle);
  }

  /** @returns how many events were moved */
  async #moveAll(): Promise<number> {
    let moved = 0;
    for (let race = 0; race < this.limits.commitAttempts;) {
      const waiting = await this.feed.waiting(this.limits.eventsAtOnce);
      if (waiting.length === 0) return moved;
      const feed = await this.feed.feed();
      const { writes, done } = await this.#fanOut(waiting.map(({ value }) => value));
      if (!(await this.feed.number(feed, waiting, writes))) {
        race += 1;
        continue;
      }
      race = 0;
      moved += waiting.length;
      for (const { value } of waiting) this.#count({ kind: value.kind });
      await done();
      for (const listener of this.#listeners) listener();
    }
    throw new Error('other processes are always faster');
  }

  #report(error: unknown): void {
    if (error !== undefined && !this.#failing)
      this.log.warn(`Events wait for their numbers: ${messageOf(error)}`);
    if (error === undefined && this.#failing) this.log.info('Events are told again');
    this.#failing = error !== undefined;
  }
}

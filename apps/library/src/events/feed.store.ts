import { randomBytes } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { type Clock, newObjectId } from '#libs/core';
import type { Collection, ScanResult, Stored } from '#libs/documents';
import { CLOCK } from '#libs/server';
import { type Change, DATABASE, type Database } from '../database.store.js';
import { audienceOf } from '../tree/audiences.js';
import {
  type Event,
  EVENT_INBOX,
  type EventDocument,
  eventId,
  type EventIndex,
  EVENTS,
  FEED_ID,
  type FeedDocument,
  FEEDS,
  type InboxIndex,
  type WaitingEvent,
} from './documents.store.js';
import type { Happening } from './happenings.js';

export type { Event, EventDocument, FeedDocument, WaitingEvent } from './documents.store.js';

/** One order of the feed: all of it, or what is in one index of it. */
export type Source =
  | { readonly index: 'bySequence'; readonly equal: readonly [] }
  | { readonly index: 'byAudience'; readonly equal: readonly [audience: string] }
  | { readonly index: 'byEntity'; readonly equal: readonly [entity: string, audience: string] };

/**
 * The feed of events. Writers put theirs into an inbox, in the commit of what happened, and nobody waits for anybody there; the
 * sequencer moves them from there into the feed and numbers them in one commit, as the audit trail is chained (ADR 27).
 */
@Injectable()
export class EventFeed {
  /** Whether other processes write to it too. */
  readonly shared: boolean;
  readonly #inbox: Collection<WaitingEvent, InboxIndex>;
  readonly #events: Collection<EventDocument, EventIndex>;
  readonly #feeds: Collection<FeedDocument, never>;
  #onWrite: () => void = () => undefined;

  constructor(
    @Inject(DATABASE) private readonly database: Database,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {
    this.shared = database.driver === 'mongodb';
    this.#inbox = database.collection<WaitingEvent, InboxIndex>(EVENT_INBOX);
    this.#events = database.collection<EventDocument, EventIndex>(EVENTS);
    this.#feeds = database.collection<FeedDocument, never>(FEEDS);
  }

  /** Calls `listener` whenever an event is about to be committed. */
  onWrite(listener: () => void): void {
    this.#onWrite = listener;
  }

  /** An event as a write, to be put into the commit of what it tells. Make a new one for every attempt of a commit. */
  write({ kind, place, by, details }: Happening): Change {
    const now = this.clock.now();
    const write = this.#inbox.write.insert(nextId(now), {
      event: newObjectId(),
      time: now.toISOString(),
      kind,
      ...place,
      ...(by === null ? {} : { by: by.username }),
      details,
    });
    this.#onWrite();
    return write;
  }

  /** What has no number yet, in the order of time. */
  async waiting(limit: number): Promise<readonly Stored<WaitingEvent>[]> {
    return (await this.#inbox.scan('byTime', { limit })).items;
  }

  feed(): Promise<Stored<FeedDocument> | undefined> {
    return this.#feeds.get(FEED_ID);
  }

  /**
   * Gives waiting events their numbers, together with what else has to come of them. The document that counts comes behind the
   * events: where a commit is not atomic, nobody sees a number before what has it.
   * @returns false when another process was faster
   */
  async number(
    before: Stored<FeedDocument> | undefined,
    waiting: readonly Stored<WaitingEvent>[],
    more: readonly Change[],
  ): Promise<boolean> {
    const head = before?.value.head ?? 0;
    const events = waiting.map(({ value }, index) => {
      const sequence = head + index + 1;
      const audience = audienceOf(value.entity, value.private);
      return this.#events.write.insert(eventId(sequence), { ...value, sequence, audience });
    });
    const counted = { head: head + waiting.length, first: before?.value.first ?? 1 };
    const outcome = await this.database.commit([
      ...events,
      ...more,
      before === undefined
        ? this.#feeds.write.insert(FEED_ID, counted)
        : this.#feeds.write.replace(FEED_ID, before.revision, counted),
      ...waiting.map(({ id, revision }) => this.#inbox.write.delete(id, revision)),
    ]);
    return outcome.ok;
  }

  /** Events behind a number, and up to another one, in order. */
  page(
    { index, equal }: Source,
    range: { readonly after: number; readonly head: number; readonly limit: number },
  ): Promise<ScanResult<EventDocument>> {
    const { after, head, limit } = range;
    return this.#events.scan(index, { equal, from: after + 1, before: head + 1, limit });
  }

  /**
   * Forgets the oldest events: those of before a time, and those beyond so many.
   * @returns how many; 0 also when another process was faster
   */
  async forget(before: string, most: number, atOnce: number): Promise<number> {
    const feed = await this.feed();
    if (feed === undefined) return 0;
    const { head, first } = feed.value;
    const { items } = await this.#events.scan('bySequence', { before: head + 1, limit: atOnce });
    const isOld = ({ value }: Event): boolean => value.time < before || value.sequence <= head - most;
    const keep = items.findIndex((event) => !isOld(event));
    const old = keep === -1 ? items : items.slice(0, keep);
    const last = old.at(-1);
    if (last === undefined) return 0;
    const outcome = await this.database.commit([
      this.#feeds.write.replace(FEED_ID, feed.revision, {
        head,
        first: Math.max(first, last.value.sequence + 1),
      }),
      ...old.map(({ id }) => this.#events.write.delete(id)),
    ]);
    return outcome.ok ? old.length : 0;
  }
}

let counter = 0;

/** Time, a counter and random digits: events of one process keep their order within a millisecond. Nobody is told. */
function nextId(now: Date): string {
  counter = (counter + 1) % 0x10000;
  const time = now.getTime().toString(16).padStart(12, '0');
  return `${time}${counter.toString(16).padStart(4, '0')}${randomBytes(4).toString('hex')}`;
}

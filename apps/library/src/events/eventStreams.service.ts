import { type BeforeApplicationShutdown, Inject, Injectable } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import type { Actor } from '#libs/contract';
import { type Clock, DomainError } from '#libs/core';
import { CLOCK, EventStreams, Metrics, networkOf, type OpenStream, TokenVerifier } from '#libs/server';
import { LIBRARY_LIMITS, type LibraryLimits } from '../limits.js';
import { type Cursor, EventCursors } from './cursors.js';
import { EventReader, type SeenPage } from './eventReader.service.js';
import { EventFeed } from './feed.store.js';
import { Sequencer } from './sequencer.service.js';

/** Who listens, and to what. */
interface Listener {
  readonly actor: Actor | undefined;
  /** IP address. */
  readonly address: string;
  readonly entity: string | undefined;
  /** Where to begin, as it was told before; undefined: with what is still to come. */
  readonly after: string | undefined;
}

/** The feed as server-sent events: everybody gets what they may read at that moment, in order, without loss, each once. */
@Injectable()
export class EventStreamsService implements BeforeApplicationShutdown {
  readonly #streams: EventStreams;
  #seen = 0;

  constructor(
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(LIBRARY_LIMITS) private readonly limits: LibraryLimits,
    feed: EventFeed,
    private readonly reader: EventReader,
    private readonly cursors: EventCursors,
    private readonly verifier: TokenVerifier,
    sequencer: Sequencer,
    metrics: Metrics,
  ) {
    this.#streams = new EventStreams({
      limits: {
        streams: limits.eventStreams,
        perClient: limits.eventStreamsPerClient,
        heartbeatMs: limits.eventHeartbeat,
        beats: limits.eventBeats,
        idleMs: limits.eventIdle,
        pollMs: limits.eventPoll,
      },
      tooMany: () =>
        new DomainError('too_many_requests', 'Too many listen to events already', {
          reason: 'too_many_streams',
          retryAfter: 60,
        }),
      // Other processes bring events too, and cannot wake anybody here.
      poll: feed.shared ? () => this.#look() : undefined,
    });
    sequencer.onEvents(() => {
      reader.changed();
      this.#streams.wake();
    });
    metrics.gauge({ name: 'scs_library_event_streams', help: 'Who listens to events' }, () => [
      { value: this.#streams.open },
    ]);
  }

  beforeApplicationShutdown(): void {
    this.#streams.close();
  }

  /**
   * Sends events until the client goes away, its token has ended, the entity is not there for it any more, the server stops, or an
   * hour is over.
   * @throws DomainError `too_many_requests`; `bad_request` for a place that was never told; `not_found` for an entity that is not
   *   there for this actor
   */
  async send(reply: FastifyReply, listener: Listener): Promise<void> {
    const { actor, address } = listener;
    await this.#streams.serve(reply, actor?.accountId ?? networkOf(address), {
      prepare: () => this.prepare(listener),
      follow: (stream, { begin, page }) => this.#follow(stream, listener, begin, page),
      hasEnded: () => actor !== undefined && this.#hasEnded(actor),
    });
  }

  /**
   * Where it begins, and what there is: what is refused is refused before the head of the answer.
   * @throws DomainError `bad_request`, `not_found`
   */
  async prepare(listener: Listener): Promise<{ readonly begin: Cursor; readonly page: SeenPage }> {
    const begin = await this.#begin(listener);
    return { begin, page: await this.reader.after(begin, listener.entity, listener.actor) };
  }

  async #begin({ after }: Listener): Promise<Cursor> {
    if (after !== undefined) return this.cursors.read(after);
    return { sequence: await this.reader.head(), time: this.#now() };
  }

  async #follow(stream: OpenStream, listener: Listener, begin: Cursor, first: SeenPage): Promise<void> {
    // An id without data: where to go on if nothing comes before the connection breaks.
    await stream.write(`retry: ${this.limits.eventRetry}\n${this.#idOf(begin)}\n\n`);
    let at = begin;
    for (let page: SeenPage | undefined = first; stream.isOpen; page = undefined) {
      const { silent, woken } = stream.turn();
      const actor = await this.#actorOf(listener);
      if (actor === 'ended') return;
      const seen = page ?? (await this.#read(at, listener.entity, actor));
      if (seen === undefined) return;
      at = { sequence: seen.next, time: this.#now() };
      const text = this.#textOf(seen, at, silent);
      if (text !== '') await stream.write(text);
      // The page that was read before the stream began may be old by now.
      if (!seen.more && page === undefined && stream.isOpen) await woken;
    }
  }

  #textOf({ events, lost }: SeenPage, at: Cursor, silent: boolean): string {
    if (lost) return `${this.#idOf(at)}\nevent: reset\ndata: {}\n\n`;
    if (events.length === 0) return silent ? `: still here\n${this.#idOf(at)}\n\n` : '';
    return events
      .map(({ event, sequence }) => {
        const id = this.#idOf({ sequence, time: at.time });
        return `${id}\nevent: ${event.kind}\ndata: ${JSON.stringify(event)}\n\n`;
      })
      .join('');
  }

  /** Undefined: the entity is not there any more for who listens. */
  async #read(
    at: Cursor,
    entity: string | undefined,
    actor: Actor | undefined,
  ): Promise<SeenPage | undefined> {
    try {
      return await this.reader.after(at, entity, actor);
    } catch (error) {
      if (error instanceof DomainError && error.code === 'not_found') return undefined;
      throw error;
    }
  }

  /** Who listens, as they are now: roles come and go while a stream is open. */
  async #actorOf({ actor }: Listener): Promise<Actor | undefined | 'ended'> {
    if (actor === undefined) return undefined;
    return this.verifier.verify(actor.token, 'library').catch((error: unknown) => {
      if (error instanceof DomainError) return 'ended' as const;
      throw error;
    });
  }

  #hasEnded(actor: Actor): boolean {
    return this.verifier.hasEnded(actor) || actor.expiresAt.getTime() <= this.#now();
  }

  /** Whether there are events that this process did not bring. */
  async #look(): Promise<boolean> {
    const head = await this.reader.head();
    const isNew = head !== this.#seen;
    this.#seen = head;
    if (isNew) this.reader.changed();
    return isNew;
  }

  #idOf(cursor: Cursor): string {
    return `id: ${this.cursors.write(cursor)}`;
  }

  #now(): number {
    return this.clock.now().getTime();
  }
}

import { Inject, Injectable } from '@nestjs/common';
import type { Actor, LibraryEvent } from '#libs/contract';
import type { Clock } from '#libs/core';
import { CLOCK } from '#libs/server';
import { LIBRARY_LIMITS, type LibraryLimits } from '../limits.js';
import { isAdministrator, roleIn, type Subject } from '../policy.js';
import { EVERYBODY } from '../tree/audiences.js';
import { CollectionsStore } from '../tree/collections.store.js';
import { ContainersStore } from '../tree/containers.store.js';
import { EntitiesStore } from '../tree/entities.store.js';
import { collectionSubject, containerSubject, entitySubject } from '../tree/subjects.js';
import { TreeService } from '../tree/tree.service.js';
import type { Cursor } from './cursors.js';
import { type Event, EventFeed, type EventDocument, type Source } from './feed.store.js';
import { maySee, presentTo } from './sight.js';

/** A part of the feed as somebody may see it. */
export interface SeenPage {
  readonly events: readonly { readonly event: LibraryEvent; readonly sequence: number }[];
  /** Where to go on. */
  readonly next: number;
  readonly more: boolean;
  /** Events between the place that was asked for and the first one here are forgotten. */
  readonly lost: boolean;
}

/** A part of one source, with what its events are about as it is now. */
interface Reading {
  readonly events: readonly EventDocument[];
  readonly subjects: ReadonlyMap<string, Subject>;
  readonly cut: boolean;
}

/** Reads the feed for somebody: strangers are not even kept waiting by what they may not see. */
@Injectable()
export class EventReader {
  readonly #readings = new Map<string, Promise<Reading>>();

  constructor(
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(LIBRARY_LIMITS) private readonly limits: LibraryLimits,
    private readonly feed: EventFeed,
    private readonly tree: TreeService,
    private readonly entities: EntitiesStore,
    private readonly collections: CollectionsStore,
    private readonly containers: ContainersStore,
  ) {}

  /** The number of the last event. */
  async head(): Promise<number> {
    return (await this.feed.feed())?.value.head ?? 0;
  }

  /** There may be something new: what was read before is not shared any more. */
  changed(): void {
    this.#readings.clear();
  }

  /**
   * What happened after a place, as far as the actor may know of it at this moment.
   * @param entity the name of one; undefined: all of them
   * @throws DomainError `not_found` for an entity that is not there for this actor
   */
  async after(cursor: Cursor, entity: string | undefined, actor: Actor | undefined): Promise<SeenPage> {
    const sources = await this.#sourcesOf(entity, actor);
    // First the head: what comes between the reads is delivered by the next question.
    const { head = 0, first = 1 } = (await this.feed.feed())?.value ?? {};
    const tooOld = cursor.time < this.clock.now().getTime() - this.limits.eventsKept;
    // A number that was never given: the database is an older one.
    if (tooOld || cursor.sequence > head || cursor.sequence + 1 < first)
      return { events: [], next: head, more: false, lost: true };
    const readings = await Promise.all(sources.map((source) => this.#read(source, cursor.sequence, head)));
    // Behind the end of a source that was cut there may be more of it: only up to there the order is known.
    const ends = readings.flatMap(({ events, cut }) => (cut ? [events.at(-1)?.sequence ?? head] : []));
    const next = Math.min(head, ...ends);
    const events = readings
      .flatMap(({ events, subjects }) =>
        events.filter(
          (event) => event.sequence <= next && maySee(actor, event, subjects.get(placeId(event))),
        ),
      )
      .toSorted((a, b) => a.sequence - b.sequence)
      .map((event) => ({ event: presentTo(actor, event), sequence: event.sequence }));
    return { events, next, more: ends.length > 0, lost: false };
  }

  async #sourcesOf(name: string | undefined, actor: Actor | undefined): Promise<readonly Source[]> {
    if (name !== undefined) {
      const { id } = await this.tree.entity(name, actor);
      const audiences = roleIn(actor, name) === 'stranger' ? [EVERYBODY] : [EVERYBODY, id];
      return audiences.map((audience) => ({ index: 'byEntity', equal: [id, audience] }));
    }
    const all: readonly Source[] = [{ index: 'bySequence', equal: [] }];
    if (actor === undefined) return [{ index: 'byAudience', equal: [EVERYBODY] }];
    if (isAdministrator(actor)) return all;
    const audiences = [EVERYBODY, ...(await this.tree.entityIdsOf(actor))];
    if (audiences.length > this.limits.eventSources) return all;
    return audiences.map((audience) => ({ index: 'byAudience', equal: [audience] }));
  }

  /** Those that are at the same place share a reading that was begun after the last event. */
  #read(source: Source, after: number, head: number): Promise<Reading> {
    const key = `${source.index} ${source.equal.join(' ')} ${after} ${head}`;
    const known = this.#readings.get(key);
    if (known !== undefined) return known;
    const reading = this.#readNow(source, after, head).finally(() => {
      if (this.#readings.get(key) === reading) this.#readings.delete(key);
    });
    this.#readings.set(key, reading);
    return reading;
  }

  async #readNow(source: Source, after: number, head: number): Promise<Reading> {
    const { items, cursor } = await this.feed.page(source, { after, head, limit: this.limits.eventsRead });
    return {
      events: items.map(({ value }) => value),
      subjects: await this.#subjectsOf(items),
      cut: cursor !== undefined,
    };
  }

  async #subjectsOf(events: readonly Event[]): Promise<Map<string, Subject>> {
    const values = events.map(({ value }) => value);
    const ids = (of: (event: EventDocument) => string | undefined): string[] => [
      ...new Set(values.flatMap((event) => of(event) ?? [])),
    ];
    const [containers, collections, entities] = await Promise.all([
      this.containers.getMany(ids(({ container }) => container)),
      this.collections.getMany(ids(({ collection, container }) => (container ? undefined : collection))),
      this.entities.getMany(ids(({ entity, collection }) => (collection ? undefined : entity))),
    ]);
    return new Map([
      ...containers.map((one) => [one.id, containerSubject(one)] as const),
      ...collections.map((one) => [one.id, collectionSubject(one)] as const),
      ...entities.map((one) => [one.id, entitySubject(one)] as const),
    ]);
  }
}

/** The id of what an event is about. */
function placeId({ entity, collection, container }: EventDocument): string {
  return container ?? collection ?? entity;
}

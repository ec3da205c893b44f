import { afterAll, afterEach, beforeAll, describe, expect } from 'vitest';
import type { LibraryEvent } from '#libs/contract';
import { ManualClock } from '#libs/core';
import { DATABASES, type StartedDatabase } from '../../support/databases.js';
import { type EventStream, openEvents, type StreamEvent } from '../../support/event-stream.js';
import { startLibrary, type StockClient, type World } from './world.js';

/** What a stream says, beside its ids. */
export class Listener {
  /** The id that was told last. */
  id = '';
  readonly seen: LibraryEvent[] = [];

  constructor(readonly stream: EventStream) {}

  /** What comes next, whatever it is. @returns undefined when the stream has ended */
  async next(): Promise<StreamEvent | undefined> {
    const event = await this.stream.next();
    if (event?.id !== undefined) this.id = event.id;
    if (event?.data !== undefined && event.event !== 'reset') {
      const told = JSON.parse(event.data) as LibraryEvent;
      if (event.event !== told.kind) throw new Error(`${event.event} says that it is ${told.kind}`);
      this.seen.push(told);
    }
    return event;
  }

  /** Reads until something happens to a place. @returns everything up to there, without what was told before */
  async upTo(place: string, kind?: string): Promise<LibraryEvent[]> {
    const before = this.seen.length;
    for (;;) {
      const last = this.seen.at(-1);
      const found = last?.place === place && (kind === undefined || last.kind === kind);
      if (this.seen.length > before && found) return this.seen.slice(before);
      if ((await this.next()) === undefined) throw new Error('the stream has ended');
    }
  }

  /** Resolves when the server has ended the stream. */
  async ended(): Promise<boolean> {
    for (;;) if ((await this.stream.next()) === undefined) return true;
  }
}

/** The kinds of what happened to a place and to what is in it. */
export const kindsOf = (events: readonly LibraryEvent[], place: string): string[] =>
  events.filter((event) => event.place.startsWith(place)).map(({ kind }) => kind);

/** A library that is listened to, with the entities `tester` and `other`. The functions may be taken out of it. */
export interface Listened {
  readonly databaseName: string;
  readonly database: StartedDatabase;
  readonly world: World;
  readonly clock: ManualClock;
  /** Opens a stream and reads its first id. It is closed after the test at the latest. */
  readonly listen: (
    client: StockClient,
    options?: { entity?: string; after?: string; to?: World },
  ) => Promise<Listener>;
  /** Closes all streams. */
  readonly closeAll: () => void;
  /** A container that nobody has used, which is not made. */
  readonly newPlace: (entity?: string) => string;
  readonly change: (path: string, body: object, client?: StockClient) => Promise<void>;
  readonly remove: (path: string, client?: StockClient) => Promise<void>;
  /** Something that everybody may know of, behind everything that happened before. */
  readonly sentinel: (client?: StockClient) => Promise<string>;
  /** What happened so far has its place in the feed: a stream that begins now tells nothing of it. */
  readonly settled: () => Promise<string>;
}

/** Tests over both databases. */
export function describeListened(subject: string, tests: (listened: Listened) => void): void {
  describe.each(DATABASES)(`${subject} over $name`, ({ name, open }) => {
    let world: World;
    let clock: ManualClock;
    let database: StartedDatabase;
    let serial = 0;
    const listeners: Listener[] = [];
    const closeAll = (): void => {
      for (const { stream } of listeners.splice(0)) stream.close();
    };
    beforeAll(async () => {
      clock = new ManualClock(new Date().toISOString());
      database = await open();
      world = await startLibrary({
        open: async () => database,
        clock,
        limits: { eventHeartbeat: 100, eventBeats: 100_000 },
      });
      await world.tester.entity('tester');
      await world.other.entity('other');
    });
    afterEach(closeAll);
    afterAll(() => world.stop());

    const listen: Listened['listen'] = async (client, { entity, after, to = world } = {}) => {
      const listener = new Listener(
        await openEvents(to.app, `/v1/events${entity === undefined ? '' : `?entity=${entity}`}`, {
          ...(client.token === undefined ? {} : { authorization: `Bearer ${client.token}` }),
          ...(after === undefined ? {} : { 'last-event-id': after }),
        }),
      );
      listeners.push(listener);
      expect(listener.stream.status).toBe(200);
      expect(await listener.next()).toMatchObject({ data: undefined });
      return listener;
    };
    const sentinel: Listened['sentinel'] = async (client = world.other) => {
      const place = `other/s${(serial += 1)}/end`;
      await client.place(place);
      return place;
    };
    tests({
      databaseName: name,
      get database() {
        return database;
      },
      get world() {
        return world;
      },
      get clock() {
        return clock;
      },
      listen,
      closeAll,
      newPlace: (entity = 'tester') => `${entity}/c${(serial += 1)}/app`,
      change: async (path, body, client = world.tester) => {
        expect((await client.send('PATCH', `/v1/manage/${path}`, body)).status).toBe(200);
      },
      remove: async (path, client = world.tester) => {
        expect((await client.send('DELETE', `/v1/manage/${path}`)).status).toBe(200);
      },
      sentinel,
      settled: async () => {
        const listener = await listen(world.anonymous);
        await listener.upTo(await sentinel());
        return listener.id;
      },
    });
  });
}

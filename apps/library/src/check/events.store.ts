import { type Event, FEED_ID } from '../events/documents.store.js';
import type { Look } from './look.js';
import type { CheckParts, Difference, Shown, Walk } from './room.store.js';

/** What it is asked for by: there is one feed, and it is of no entity. */
const NAME = '/v1/events';

/**
 * The feed of events, against where it is said to begin and to end. With an end before its last event nothing would get a number any more.
 * The events themselves are a log, of what is gone, too, and go by themselves; those that wait for their numbers get them.
 */
export class EventsCheck {
  readonly #parts: CheckParts;

  constructor(parts: CheckParts) {
    this.#parts = parts;
  }

  get walks(): readonly Walk[] {
    const suspects = [{ name: NAME, look: (look: Look) => this.#look(look) }];
    return [{ name: 'events', part: async () => ({ suspects, next: undefined }) }];
  }

  async #look(look: Look): Promise<Shown> {
    const { tables } = this.#parts;
    const feed = await tables.feeds.get(FEED_ID);
    look.sawDocument(feed);
    const [lowest, highest] = [await this.#end('ascending', look), await this.#end('descending', look)];
    const { head, first } = feed?.value ?? { head: 0, first: 1 };
    // Events are forgotten, numbers are not: the last ones may be gone.
    const wanted = { head: Math.max(head, highest ?? 0), first: lowest ?? head + 1 };
    const mend = [
      feed === undefined
        ? tables.feeds.write.insert(FEED_ID, wanted)
        : tables.feeds.write.replace(FEED_ID, feed.revision, wanted),
    ];
    const pairs = [
      ['first', first, wanted.first],
      ['last', head, wanted.head],
    ] as const;
    const differences = pairs
      .filter(([, recorded, counted]) => recorded !== counted)
      .map(([what, recorded, counted], index): Difference => ({
        problem: { kind: 'feed_wrong', name: NAME, what, recorded, counted },
        subject: 'request',
        mend: index === 0 ? mend : [],
      }));
    return { differences };
  }

  async #end(direction: 'ascending' | 'descending', look: Look): Promise<number | undefined> {
    const { items } = await this.#parts.tables.events.scan('bySequence', { direction, limit: 1 });
    const [event]: readonly Event[] = items;
    return look.sawDocument(event)?.sequence;
  }
}

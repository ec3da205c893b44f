import { z } from 'zod';
import { LibraryEventDetails, LibraryEventKind } from '#libs/contract';
import type { CollectionSpec, Stored } from '#libs/documents';

/** What happened, and to what: ids, because names change, and names as they were. */
const said = {
  /** Random: whoever sees some events learns nothing of how many there are between them. */
  event: z.string(),
  /** ISO. */
  time: z.string(),
  kind: LibraryEventKind,
  entity: z.string(),
  entityName: z.string(),
  collection: z.string().optional(),
  collectionName: z.string().optional(),
  container: z.string().optional(),
  containerName: z.string().optional(),
  /** Whether strangers could know of the object then. */
  private: z.boolean(),
  by: z.string().optional(),
  details: LibraryEventDetails,
};

/** An event that waits for its number. Written in the commit of what it tells. */
const WaitingEvent = z.object(said);
export type WaitingEvent = z.infer<typeof WaitingEvent>;
export type InboxIndex = 'byTime';
export const EVENT_INBOX = {
  name: 'eventInbox',
  schema: WaitingEvent,
  indexes: { byTime: { fields: ['time'] } },
} as const satisfies CollectionSpec<WaitingEvent>;

/** An event with its number: 1, 2, 3 … without a gap. */
const EventDocument = z.object({
  ...said,
  sequence: z.number(),
  /** Whose feed it is in, as of `audienceOf`. */
  audience: z.string(),
});
export type EventDocument = z.infer<typeof EventDocument>;
export type Event = Stored<EventDocument>;
export type EventIndex = 'bySequence' | 'byAudience' | 'byEntity';
export const EVENTS = {
  name: 'events',
  schema: EventDocument,
  indexes: {
    bySequence: { fields: ['sequence'] },
    byAudience: { fields: ['audience', 'sequence'] },
    byEntity: { fields: ['entity', 'audience', 'sequence'] },
  },
} as const satisfies CollectionSpec<EventDocument>;

/** Where the feed begins and ends; there is one, {@link FEED_ID}. */
const FeedDocument = z.object({
  /** The number that was given last. */
  head: z.number(),
  /** The lowest one that is kept. */
  first: z.number(),
});
export type FeedDocument = z.infer<typeof FeedDocument>;
export const FEED_ID = 'feed';
export const FEEDS = {
  name: 'eventFeed',
  schema: FeedDocument,
  indexes: {},
} as const satisfies CollectionSpec<FeedDocument>;

export function eventId(sequence: number): string {
  return String(sequence).padStart(15, '0');
}

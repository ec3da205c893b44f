import type { LibraryEvent } from '#libs/contract';
import { mayRead, placeOf, roleIn, type Subject } from '../policy.js';
import type { EventDocument } from './feed.store.js';

type Reader = Parameters<typeof mayRead>[0];

/**
 * What an event was about, as it is now, for deciding who may know of it. What strangers could not know then they do not learn later,
 * and the other way round. Of what is gone members alone hear, but for the news that it is: of that whoever could know of it last.
 * @param now the object; undefined: it is gone
 */
function subjectOf(event: EventDocument, now: Subject | undefined): Subject {
  const { entityName, collectionName, containerName, kind } = event;
  if (now !== undefined) return { ...now, private: now.private || event.private };
  const isItsEnd = /^(?:entity|collection|container)\.delete$/.test(kind);
  return {
    entity: entityName,
    ...(collectionName === undefined ? {} : { collection: collectionName }),
    ...(containerName === undefined ? {} : { container: containerName }),
    private: !isItsEnd || event.private,
  };
}

/** Whether somebody may know of an event. */
export function maySee(actor: Reader, event: EventDocument, now: Subject | undefined): boolean {
  return mayRead(actor, subjectOf(event, now)).allowed;
}

/** An event as its reader gets it: who did it is told to members of the entity. */
export function presentTo(actor: Reader, event: EventDocument): LibraryEvent {
  const { by, ...rest } = presentEvent(event);
  const isMember = roleIn(actor, event.entityName) !== 'stranger';
  return isMember && by !== undefined ? { ...rest, by } : rest;
}

/** The whole of an event, for the owners of its entity. */
export function presentEvent(event: Omit<EventDocument, 'sequence' | 'audience'>): LibraryEvent {
  const { event: id, kind, time, entityName, collectionName, containerName, by, details } = event;
  const place = placeOf({
    entity: entityName,
    ...(collectionName === undefined ? {} : { collection: collectionName }),
    ...(containerName === undefined ? {} : { container: containerName }),
    private: event.private,
  });
  return { id, kind, time, place, ...(by === undefined ? {} : { by }), ...details };
}

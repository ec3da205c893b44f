import type { Collection } from './collections.store.js';
import type { Container } from './containers.store.js';
import type { Entity } from './entities.store.js';
import type { Subject } from '../policy.js';

/** What policy has to know of a stored object. An entity whose things are private by default is itself no one's business. */
export function entitySubject({ value }: Entity): Subject {
  return { entity: value.name, private: value.defaultPrivate };
}

export function collectionSubject({ value }: Collection): Subject {
  return { entity: value.entityName, collection: value.name, private: value.private };
}

export function containerSubject({ value }: Container): Subject {
  return {
    entity: value.entityName,
    collection: value.collectionName,
    container: value.name,
    private: value.private,
    readOnly: value.readOnly,
  };
}

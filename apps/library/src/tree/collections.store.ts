import { Inject, Injectable } from '@nestjs/common';
import type { Collection as DocumentCollection } from '#libs/documents';
import { type Change, DATABASE, type Database } from '../database.store.js';
import {
  type Collection,
  type CollectionDocument,
  type CollectionIndex,
  COLLECTIONS,
} from './documents.store.js';

export type { Collection } from './documents.store.js';

/** Collections by id. */
@Injectable()
export class CollectionsStore {
  readonly #collections: DocumentCollection<CollectionDocument, CollectionIndex>;

  constructor(@Inject(DATABASE) database: Database) {
    this.#collections = database.collection<CollectionDocument, CollectionIndex>(COLLECTIONS);
  }

  get(id: string): Promise<Collection | undefined> {
    return this.#collections.get(id);
  }

  getMany(ids: readonly string[]): Promise<readonly Collection[]> {
    return this.#collections.getMany(ids);
  }

  creation(id: string, collection: CollectionDocument): Change {
    return this.#collections.write.insert(id, collection);
  }

  using(id: string, bytes: number): Change {
    return this.#collections.write.increment(id, 'size', bytes);
  }
}

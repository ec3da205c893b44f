import { Inject, Injectable } from '@nestjs/common';
import { z } from 'zod';
import type { Collection as DocumentCollection, CollectionSpec, Stored } from '#libs/documents';
import { type Change, DATABASE, type Database } from '../database.store.js';

const CollectionDocument = z.object({
  /** Id. */
  entity: z.string(),
  entityName: z.string(),
  name: z.string(),
  description: z.string(),
  customData: z.string(),
  private: z.boolean(),
  /** Bytes of all its images. */
  size: z.number(),
  createdBy: z.string(),
  createdAt: z.string(),
});
export type CollectionDocument = z.infer<typeof CollectionDocument>;
export type Collection = Stored<CollectionDocument>;

const COLLECTIONS = {
  name: 'collections',
  schema: CollectionDocument,
  indexes: {},
} as const satisfies CollectionSpec<CollectionDocument>;

/** Collections by id. */
@Injectable()
export class CollectionsStore {
  readonly #collections: DocumentCollection<CollectionDocument, never>;

  constructor(@Inject(DATABASE) database: Database) {
    this.#collections = database.collection<CollectionDocument, never>(COLLECTIONS);
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

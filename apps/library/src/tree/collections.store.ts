import { Inject, Injectable } from '@nestjs/common';
import { z } from 'zod';
import type { Collection as DocumentCollection, CollectionSpec, Stored } from '#libs/documents';
import { type Change, DATABASE, type Database } from '../database.store.js';
import { justBehind, type Stretch } from './audiences.js';

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
  /** Whose list it is in, as of {@link audienceOf}. */
  audience: z.string().optional(),
  createdBy: z.string(),
  createdAt: z.string(),
  updatedAt: z.string().optional(),
});
export type CollectionDocument = z.infer<typeof CollectionDocument>;
export type Collection = Stored<CollectionDocument>;

type Index = 'byEntity';
const COLLECTIONS = {
  name: 'collections',
  schema: CollectionDocument,
  indexes: { byEntity: { fields: ['entity', 'audience', 'name'] } },
} as const satisfies CollectionSpec<CollectionDocument>;

/** Collections by id. */
@Injectable()
export class CollectionsStore {
  readonly #collections: DocumentCollection<CollectionDocument, Index>;

  constructor(@Inject(DATABASE) database: Database) {
    this.#collections = database.collection<CollectionDocument, Index>(COLLECTIONS);
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

  /** By name, behind `after`: of one audience, so that nobody waits for what they may not see. */
  async ofEntity(
    entity: string,
    audience: string,
    { after, limit }: Stretch,
  ): Promise<readonly Collection[]> {
    const range = { from: justBehind(after), limit };
    return (await this.#collections.scan('byEntity', { equal: [entity, audience], ...range })).items;
  }

  /** Compare and set. */
  replacement({ id, revision }: Collection, value: CollectionDocument): Change {
    return this.#collections.write.replace(id, revision, value);
  }

  /** Compare and set. */
  removal({ id, revision }: Collection): Change {
    return this.#collections.write.delete(id, revision);
  }

  using(id: string, bytes: number): Change {
    return this.#collections.write.increment(id, 'size', bytes);
  }
}

import { Inject, Injectable } from '@nestjs/common';
import type { Collection as DocumentCollection, ScanResult } from '#libs/documents';
import { type Change, DATABASE, type Database } from '../database.store.js';
import { justBehind, type Stretch } from './audiences.js';
import {
  type Collection,
  type CollectionDocument,
  type CollectionIndex,
  COLLECTIONS,
} from './documents.store.js';

export type { Collection, CollectionDocument } from './documents.store.js';

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

  /** By name, behind `after`: of one audience, so that nobody waits for what they may not see. */
  async ofEntity(
    entity: string,
    audience: string,
    { after, limit }: Stretch,
  ): Promise<readonly Collection[]> {
    const range = { from: justBehind(after), limit };
    return (await this.#collections.scan('byEntity', { equal: [entity, audience], ...range })).items;
  }

  /** Those that are being given another name, page by page. */
  moving(limit: number, cursor: string | undefined): Promise<ScanResult<CollectionDocument>> {
    const place = cursor === undefined ? {} : { cursor };
    return this.#collections.scan('byMoving', { from: '', limit, ...place });
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

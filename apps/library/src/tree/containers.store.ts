import { Inject, Injectable } from '@nestjs/common';
import type { Collection as DocumentCollection, ScanResult } from '#libs/documents';
import { type Change, DATABASE, type Database } from '../database.store.js';
import { justBehind, type Stretch } from './audiences.js';
import { LIMITS } from '../limits.js';
import {
  type Container,
  type ContainerDocument,
  type ContainerIndex,
  CONTAINERS,
} from './documents.store.js';

export type { Container, ContainerDocument } from './documents.store.js';

/** Containers by id. */
@Injectable()
export class ContainersStore {
  readonly #containers: DocumentCollection<ContainerDocument, ContainerIndex>;

  constructor(@Inject(DATABASE) database: Database) {
    this.#containers = database.collection<ContainerDocument, ContainerIndex>(CONTAINERS);
  }

  get(id: string): Promise<Container | undefined> {
    return this.#containers.get(id);
  }

  getMany(ids: readonly string[]): Promise<readonly Container[]> {
    return this.#containers.getMany(ids);
  }

  creation(id: string, container: ContainerDocument): Change {
    return this.#containers.write.insert(id, container);
  }

  /** By name, behind `after`: of one audience, so that nobody waits for what they may not see. */
  async ofCollection(
    collection: string,
    audience: string,
    { after, limit }: Stretch,
  ): Promise<readonly Container[]> {
    const range = { from: justBehind(after), limit };
    return (await this.#containers.scan('byCollection', { equal: [collection, audience], ...range })).items;
  }

  /** All of an entity, in the order of their collections, for its owners. @param cursor of the part before */
  ofEntity(entity: string, limit: number, cursor?: string): Promise<ScanResult<ContainerDocument>> {
    const place = cursor === undefined ? {} : { cursor };
    return this.#containers.scan('byPlace', { equal: [entity], limit, ...place });
  }

  /** Of a collection those that have this name of it in their address. */
  async named(collection: string, collectionName: string, limit: number): Promise<readonly Container[]> {
    return (await this.#containers.scan('byCollectionName', { equal: [collection, collectionName], limit }))
      .items;
  }

  /** Those whose rules are to be applied until `time`, the longest overdue first. */
  async retaining(time: number, limit: number): Promise<readonly Container[]> {
    return (await this.#containers.scan('byRetention', { before: time + 1, limit })).items;
  }

  /** Compare and set. */
  replacement({ id, revision }: Container, value: ContainerDocument): Change {
    return this.#containers.write.replace(id, revision, value);
  }

  /** Compare and set. */
  removal({ id, revision }: Container): Change {
    return this.#containers.write.delete(id, revision);
  }

  /** Fails with `missing` when it is gone; and whoever is about to remove it looks again at what is in it. */
  stillThere(id: string): Change {
    return this.using(id, 0);
  }

  using(id: string, bytes: number): Change {
    return this.#containers.write.increment(id, 'size', bytes);
  }

  /** Stars more or, negative, less. */
  starring(id: string, stars: number): Change {
    return this.#containers.write.increment(id, 'stars', stars);
  }

  /** Fails with `bounds` when there would be too many tags. */
  counting(id: string, tags: number): Change {
    return this.#containers.write.increment(id, 'tags', tags, {
      minimum: 0,
      maximum: LIMITS.tagsPerContainer,
    });
  }

  /** Downloads more. Informational (library contract §9): those that are lost in a crash are not missed. */
  downloading(id: string, downloads: number): Change {
    return this.#containers.write.increment(id, 'downloadCount', downloads);
  }
}

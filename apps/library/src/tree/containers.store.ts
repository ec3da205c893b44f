import { Inject, Injectable } from '@nestjs/common';
import { z } from 'zod';
import type { Collection as DocumentCollection, CollectionSpec, Stored } from '#libs/documents';
import { type Change, DATABASE, type Database } from '../database.store.js';
import { LIMITS } from '../limits.js';

const ContainerDocument = z.object({
  /** Ids, and the names that lead here: names of parents do not change. */
  entity: z.string(),
  entityName: z.string(),
  collection: z.string(),
  collectionName: z.string(),
  name: z.string(),
  description: z.string(),
  fullDescription: z.string(),
  customData: z.string(),
  private: z.boolean(),
  readOnly: z.boolean(),
  /** Bytes of all its images. */
  size: z.number(),
  downloadCount: z.number(),
  stars: z.number(),
  /** How many tags there are, over all architectures. */
  tags: z.number(),
  createdBy: z.string(),
  createdAt: z.string(),
});
export type ContainerDocument = z.infer<typeof ContainerDocument>;
export type Container = Stored<ContainerDocument>;

const CONTAINERS = {
  name: 'containers',
  schema: ContainerDocument,
  indexes: {},
} as const satisfies CollectionSpec<ContainerDocument>;

/** Containers by id. */
@Injectable()
export class ContainersStore {
  readonly #containers: DocumentCollection<ContainerDocument, never>;

  constructor(@Inject(DATABASE) database: Database) {
    this.#containers = database.collection<ContainerDocument, never>(CONTAINERS);
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

  using(id: string, bytes: number): Change {
    return this.#containers.write.increment(id, 'size', bytes);
  }

  /** Fails with `bounds` when there would be too many tags. */
  counting(id: string, tags: number): Change {
    return this.#containers.write.increment(id, 'tags', tags, {
      minimum: 0,
      maximum: LIMITS.tagsPerContainer,
    });
  }

  /** Informational (library contract §9): one that is lost in a crash is not missed. */
  async countDownload(id: string): Promise<void> {
    await this.#containers.increment(id, 'downloadCount', 1);
  }
}

import { Inject, Injectable } from '@nestjs/common';
import { z } from 'zod';
import { Retention } from '#libs/contract';
import type { Collection as DocumentCollection, CollectionSpec, Stored } from '#libs/documents';
import { type Change, DATABASE, type Database } from '../database.store.js';
import { justBehind, type Stretch } from './audiences.js';
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
  /** Whose list it is in, as of {@link audienceOf}. */
  audience: z.string().optional(),
  /** Patterns: tags that stay where they are. */
  protectedTags: z.array(z.string()).optional(),
  /** Which images are kept; absent: all of them. */
  retention: Retention.optional(),
  /** Names from before that may still lead here, oldest first. */
  formerNames: z.array(z.string()).optional(),
  createdBy: z.string(),
  createdAt: z.string(),
  updatedAt: z.string().optional(),
});
export type ContainerDocument = z.infer<typeof ContainerDocument>;
export type Container = Stored<ContainerDocument>;

type Index = 'byCollection';
const CONTAINERS = {
  name: 'containers',
  schema: ContainerDocument,
  indexes: { byCollection: { fields: ['collection', 'audience', 'name'] } },
} as const satisfies CollectionSpec<ContainerDocument>;

/** Containers by id. */
@Injectable()
export class ContainersStore {
  readonly #containers: DocumentCollection<ContainerDocument, Index>;

  constructor(@Inject(DATABASE) database: Database) {
    this.#containers = database.collection<ContainerDocument, Index>(CONTAINERS);
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

import { Inject, Injectable } from '@nestjs/common';
import { z } from 'zod';
import type { Collection, CollectionSpec, Stored } from '#libs/documents';
import { type Change, DATABASE, type Database } from '../database.store.js';

const EntityDocument = z.object({
  name: z.string(),
  description: z.string(),
  customData: z.string(),
  defaultPrivate: z.boolean(),
  /** Bytes; 0 = no limit. */
  quota: z.number(),
  /** Bytes of all different images. */
  size: z.number(),
  /** `size` and what open uploads have reserved: what the quota limits. */
  held: z.number(),
  /** Patterns: tags that stay where they are, in all its containers. */
  protectedTags: z.array(z.string()).optional(),
  createdBy: z.string(),
  createdAt: z.string(),
  updatedAt: z.string().optional(),
});
export type EntityDocument = z.infer<typeof EntityDocument>;
export type Entity = Stored<EntityDocument>;

type Index = 'byName';
const ENTITIES = {
  name: 'entities',
  schema: EntityDocument,
  indexes: { byName: { fields: ['name'] } },
} as const satisfies CollectionSpec<EntityDocument>;

/** Entities by id. */
@Injectable()
export class EntitiesStore {
  readonly #entities: Collection<EntityDocument, Index>;

  constructor(@Inject(DATABASE) database: Database) {
    this.#entities = database.collection<EntityDocument, Index>(ENTITIES);
  }

  get(id: string): Promise<Entity | undefined> {
    return this.#entities.get(id);
  }

  getMany(ids: readonly string[]): Promise<readonly Entity[]> {
    return this.#entities.getMany(ids);
  }

  /** In the order of their names. */
  async list(limit: number): Promise<readonly Entity[]> {
    return (await this.#entities.scan('byName', { limit })).items;
  }

  /** The sizes of all entities together, or undefined where there are more than so many. */
  async totalSize(most: number): Promise<number | undefined> {
    const { items, cursor } = await this.#entities.scan('byName', { limit: most });
    return cursor === undefined ? items.reduce((sum, { value }) => sum + value.size, 0) : undefined;
  }

  creation(id: string, entity: EntityDocument): Change {
    return this.#entities.write.insert(id, entity);
  }

  /** Compare and set. */
  replacement({ id, revision }: Entity, value: EntityDocument): Change {
    return this.#entities.write.replace(id, revision, value);
  }

  /** Compare and set. */
  removal({ id, revision }: Entity): Change {
    return this.#entities.write.delete(id, revision);
  }

  /**
   * Changes of what is held or used; fails with `bounds` when that would go over the quota.
   * @param bytes negative to give back
   */
  holding(entity: Entity, bytes: number): Change {
    const { quota } = entity.value;
    return this.#entities.write.increment(
      entity.id,
      'held',
      bytes,
      bytes > 0 && quota > 0 ? { maximum: quota } : {},
    );
  }

  using(id: string, bytes: number): Change {
    return this.#entities.write.increment(id, 'size', bytes);
  }
}

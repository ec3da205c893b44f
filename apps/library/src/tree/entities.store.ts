import { Inject, Injectable } from '@nestjs/common';
import type { Collection } from '#libs/documents';
import { type Change, DATABASE, type Database } from '../database.store.js';
import { ENTITIES, type Entity, type EntityDocument, type EntityIndex } from './documents.store.js';

export type { Entity, EntityDocument } from './documents.store.js';

/** Entities by id. */
@Injectable()
export class EntitiesStore {
  readonly #entities: Collection<EntityDocument, EntityIndex>;

  constructor(@Inject(DATABASE) database: Database) {
    this.#entities = database.collection<EntityDocument, EntityIndex>(ENTITIES);
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

  /** Those whose rules are to be applied until `time`, the longest overdue first. */
  async retaining(time: number, limit: number): Promise<readonly Entity[]> {
    return (await this.#entities.scan('byRetention', { before: time + 1, limit })).items;
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

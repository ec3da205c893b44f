import { Inject, Injectable } from '@nestjs/common';
import { z } from 'zod';
import type { Clock } from '#libs/core';
import type { Collection, CollectionSpec, Stored } from '#libs/documents';
import { CLOCK } from '#libs/server';
import { type Change, DATABASE, type Database } from '../database.store.js';

/** The second way to an entity, collection or container: its path is the id, lower-case. */
const NameDocument = z.object({
  target: z.string(),
  /** Of a name from before: it leads to the object until then, in milliseconds since 1970. */
  until: z.number().optional(),
});
type NameDocument = z.infer<typeof NameDocument>;
const NAMES = {
  name: 'names',
  schema: NameDocument,
  indexes: {},
} as const satisfies CollectionSpec<NameDocument>;

/** Paths `entity`, `entity/collection`, `entity/collection/container` → ids. */
@Injectable()
export class NamesStore {
  readonly #names: Collection<NameDocument, never>;

  constructor(
    @Inject(DATABASE) database: Database,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {
    this.#names = database.collection<NameDocument, never>(NAMES);
  }

  async find(path: string): Promise<string | undefined> {
    const name = await this.#names.get(path);
    return this.#leads(name) ? name.value.target : undefined;
  }

  /** The ids of those that exist. */
  async findMany(paths: readonly string[]): Promise<string[]> {
    return (await this.#names.getMany(paths))
      .filter((name) => this.#leads(name))
      .map(({ value }) => value.target);
  }

  /** Fails with `exists` or `changed` when the path is taken. A name from before is given up for it. */
  async take(path: string, target: string): Promise<Change> {
    const name = await this.#names.get(path);
    return name?.value.until === undefined
      ? this.#names.write.insert(path, { target })
      : this.#names.write.replace(path, name.revision, { target });
  }

  /** Whether another object may take the path: nobody has it, or somebody had it before. */
  async isFree(path: string): Promise<boolean> {
    const name = await this.#names.get(path);
    return name === undefined || name.value.until !== undefined;
  }

  /** The object has another name now: this one goes on to lead to it for a time. */
  keepUntil(path: string, target: string, until: number): Change {
    return this.#names.write.put(path, { target, until });
  }

  release(path: string): Change {
    return this.#names.write.delete(path);
  }

  /** A name from before, unless another object has it by now. */
  async releaseFormer(path: string, target: string): Promise<Change[]> {
    const name = await this.#names.get(path);
    const isOurs = name?.value.target === target && name.value.until !== undefined;
    return isOurs ? [this.#names.write.delete(path, name.revision)] : [];
  }

  #leads(name: Stored<NameDocument> | undefined): name is Stored<NameDocument> {
    return name !== undefined && (name.value.until ?? Infinity) > this.clock.now().getTime();
  }
}

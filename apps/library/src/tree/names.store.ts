import { Inject, Injectable } from '@nestjs/common';
import { z } from 'zod';
import type { Collection, CollectionSpec } from '#libs/documents';
import { type Change, DATABASE, type Database } from '../database.store.js';

/** The second way to an entity, collection or container: its path is the id, lower-case. */
const NameDocument = z.object({ target: z.string() });
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

  constructor(@Inject(DATABASE) database: Database) {
    this.#names = database.collection<NameDocument, never>(NAMES);
  }

  async find(path: string): Promise<string | undefined> {
    return (await this.#names.get(path))?.value.target;
  }

  /** The ids of those that exist. */
  async findMany(paths: readonly string[]): Promise<string[]> {
    return (await this.#names.getMany(paths)).map(({ value }) => value.target);
  }

  /** Fails with `exists` when the path is taken. */
  take(path: string, target: string): Change {
    return this.#names.write.insert(path, { target });
  }
}

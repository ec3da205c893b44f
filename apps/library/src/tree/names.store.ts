import { Inject, Injectable } from '@nestjs/common';
import type { Collection } from '#libs/documents';
import { type Change, DATABASE, type Database } from '../database.store.js';
import { type NameDocument, type NameIndex, NAMES } from './documents.store.js';

/** Paths `entity`, `entity/collection`, `entity/collection/container` → ids. */
@Injectable()
export class NamesStore {
  readonly #names: Collection<NameDocument, NameIndex>;

  constructor(@Inject(DATABASE) database: Database) {
    this.#names = database.collection<NameDocument, NameIndex>(NAMES);
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

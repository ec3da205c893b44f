import { Inject, Injectable } from '@nestjs/common';
import { z } from 'zod';
import type { Collection, CollectionSpec, Write } from '#libs/documents';
import { DATABASE, type Database } from './database.store.js';

/** What a name belongs to, and its id. */
const Name = z.object({ kind: z.enum(['user', 'robot', 'organisation']), id: z.string() });
export type Name = z.infer<typeof Name>;
const NAMES = { name: 'names', schema: Name, indexes: {} } as const satisfies CollectionSpec<Name>;

/**
 * The one name space of users, robots and organisations: each name is also a library entity's. Names are never given back,
 * because what belonged to the old holder is still called by them.
 */
@Injectable()
export class NamesStore {
  readonly #names: Collection<Name, never>;

  constructor(@Inject(DATABASE) database: Database) {
    this.#names = database.collection<Name, never>(NAMES);
  }

  async find(name: string): Promise<Name | undefined> {
    return (await this.#names.get(name))?.value;
  }

  /** The holders of those names that somebody has, in the order asked. */
  async findMany(names: readonly string[]): Promise<readonly Name[]> {
    return (await this.#names.getMany(names)).map(({ value }) => value);
  }

  /** The write that takes a name; the commit fails when somebody has it. */
  taking(name: string, holder: Name): Write {
    return this.#names.write.insert(name, holder);
  }
}

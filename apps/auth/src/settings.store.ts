import { Inject, Injectable } from '@nestjs/common';
import { z } from 'zod';
import type { Collection, CollectionSpec, Write } from '#libs/documents';
import { DATABASE, type Database } from './database.store.js';

/** What the instance decided once. One document. */
const Instance = z.object({
  /** The name that tokens carry as their issuer. */
  issuer: z.string(),
  accountId: z.string(),
  /** The token of the first start, until its file is known to be there. */
  firstTokenId: z.string(),
  /** False until account, password file and token file are all there. */
  complete: z.boolean(),
});
export type Instance = z.infer<typeof Instance>;
const INSTANCE = {
  name: 'instance',
  schema: Instance,
  indexes: {},
} as const satisfies CollectionSpec<Instance>;
const ID = 'instance';

@Injectable()
export class SettingsStore {
  readonly #database: Database;
  readonly #instance: Collection<Instance, never>;

  constructor(@Inject(DATABASE) database: Database) {
    this.#database = database;
    this.#instance = database.collection<Instance, never>(INSTANCE);
  }

  async get(): Promise<Instance | undefined> {
    return (await this.#instance.get(ID))?.value;
  }

  /** Writes the instance's document and everything that begins with it in one commit. @returns false when another start won */
  async begin(instance: Instance, writes: readonly Write[]): Promise<boolean> {
    return (await this.#database.commit([this.#instance.write.insert(ID, instance), ...writes])).ok;
  }

  async change(change: Partial<Instance>): Promise<void> {
    await this.#instance.update(ID, (value) => (value === undefined ? undefined : { ...value, ...change }));
  }
}

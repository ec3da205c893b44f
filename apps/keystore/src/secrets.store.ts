import { randomBytes } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { z } from 'zod';
import type { Collection, CollectionSpec } from '#libs/documents';
import { DATABASE, type Database } from './database.store.js';

const SecretDocument = z.object({ value: z.string() });
type SecretDocument = z.infer<typeof SecretDocument>;
const SECRETS = {
  name: 'secrets',
  schema: SecretDocument,
  indexes: {},
} as const satisfies CollectionSpec<SecretDocument>;

/** Keys of the service itself: in the database, so that all processes over it have the same. */
@Injectable()
export class SecretsStore {
  readonly #secrets: Collection<SecretDocument, never>;

  constructor(@Inject(DATABASE) database: Database) {
    this.#secrets = database.collection<SecretDocument, never>(SECRETS);
  }

  /** 32 bytes under a name, made when they are first asked for. */
  async get(name: string): Promise<Buffer> {
    const known =
      (await this.#secrets.get(name))?.value ??
      (await this.#secrets.update(name, (value) => value ?? { value: randomBytes(32).toString('base64') }));
    if (known === undefined) throw new Error(`There is no secret ${name}`);
    return Buffer.from(known.value, 'base64');
  }
}

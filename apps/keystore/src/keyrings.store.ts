import { Inject, Injectable } from '@nestjs/common';
import { z } from 'zod';
import { type AuditEvent, Trail } from '#libs/audit';
import type { Collection, CollectionSpec, Stored } from '#libs/documents';
import { DATABASE, type Database } from './database.store.js';
import { LIMITS } from './limits.js';

/** A key that a member of an organisation has put into its keyring. */
const Entry = z.object({
  organisation: z.string(),
  fingerprint: z.string(),
  account: z.string(),
  username: z.string(),
  /** Opens the roles of the account in the revocation feed: the account handed it over with the key (ADR 14). */
  rolesKey: z.string(),
  /** ISO. */
  at: z.string(),
});
export type KeyringDocument = z.infer<typeof Entry>;
type Index = 'byOrganisation';
const ENTRIES = {
  name: 'keyrings',
  schema: Entry,
  indexes: { byOrganisation: { fields: ['organisation', 'fingerprint'] } },
} as const satisfies CollectionSpec<KeyringDocument>;

const idOf = (organisation: string, fingerprint: string): string => `${organisation} ${fingerprint}`;

/** Which keys members have put into the keyrings of their organisations. */
@Injectable()
export class KeyringsStore {
  readonly #database: Database;
  readonly #entries: Collection<KeyringDocument, Index>;

  constructor(
    @Inject(DATABASE) database: Database,
    private readonly trail: Trail,
  ) {
    this.#database = database;
    this.#entries = database.collection<KeyringDocument, Index>(ENTRIES);
  }

  get(organisation: string, fingerprint: string): Promise<Stored<KeyringDocument> | undefined> {
    return this.#entries.get(idOf(organisation, fingerprint));
  }

  /** All of an organisation, by fingerprint. */
  async list(organisation: string): Promise<readonly KeyringDocument[]> {
    const found = await this.#entries.scan('byOrganisation', {
      equal: [organisation],
      limit: LIMITS.keyringKeys,
    });
    return found.items.map(({ value }) => value);
  }

  async put(entry: KeyringDocument, event: AuditEvent): Promise<void> {
    const id = idOf(entry.organisation, entry.fingerprint);
    await this.#database.commit([this.#entries.write.put(id, entry), this.trail.write(event)]);
  }

  /** @returns false when somebody was faster */
  async remove({ id, revision }: Stored<KeyringDocument>, event: AuditEvent): Promise<boolean> {
    const writes = [this.#entries.write.delete(id, revision), this.trail.write(event)];
    return (await this.#database.commit(writes)).ok;
  }
}

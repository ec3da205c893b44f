import { Inject, Injectable } from '@nestjs/common';
import { z } from 'zod';
import type { Collection, CollectionSpec, Stored, Write } from '#libs/documents';
import { DATABASE, type Database } from './database.store.js';
import { NamesStore } from './names.store.js';

const Organisation = z.object({
  name: z.string(),
  displayName: z.string(),
  disabled: z.boolean(),
  createdAt: z.string(),
  /** Counted in the commits that change them; so whoever changes members also compares the organisation's revision. */
  members: z.number().int(),
  owners: z.number().int(),
  robots: z.number().int(),
  /** While the states of its members are being told anew: since when. */
  spreadingSince: z.string().optional(),
});
export type Organisation = z.infer<typeof Organisation>;
export type StoredOrganisation = Stored<Organisation>;
type Index = 'byName' | 'bySpreading';
const ORGANISATIONS = {
  name: 'organisations',
  schema: Organisation,
  indexes: { byName: { fields: ['name'], unique: true }, bySpreading: { fields: ['spreadingSince'] } },
} as const satisfies CollectionSpec<Organisation>;

/** The id of no organisation. */
const NOTHING = '0'.repeat(24);

interface ListOptions {
  readonly limit: number;
  readonly cursor?: string | undefined;
}

/** Organisations by id and by name. */
@Injectable()
export class OrganisationsStore {
  readonly #organisations: Collection<Organisation, Index>;

  constructor(
    @Inject(DATABASE) database: Database,
    private readonly names: NamesStore,
  ) {
    this.#organisations = database.collection<Organisation, Index>(ORGANISATIONS);
  }

  get(id: string): Promise<StoredOrganisation | undefined> {
    return this.#organisations.get(id);
  }

  /** Those that exist, in the order asked. */
  getMany(ids: readonly string[]): Promise<readonly StoredOrganisation[]> {
    return this.#organisations.getMany(ids);
  }

  /** As for accounts: a name that leads nowhere costs the same look-ups. */
  async find(name: string): Promise<StoredOrganisation | undefined> {
    const holder = await this.names.find(name);
    return this.#organisations.get(holder?.kind === 'organisation' ? holder.id : NOTHING);
  }

  /** Those of these names that exist, in the order asked. */
  async findMany(names: readonly string[]): Promise<readonly StoredOrganisation[]> {
    const holders = await this.names.findMany(names);
    const ids = holders.filter(({ kind }) => kind === 'organisation').map(({ id }) => id);
    return this.#organisations.getMany(ids);
  }

  /** In the order of names. */
  list({ limit, cursor }: ListOptions) {
    return this.#organisations.scan('byName', { limit, ...(cursor === undefined ? {} : { cursor }) });
  }

  /** Those whose members were not all told yet, the longest waiting first. */
  async spreading(limit: number): Promise<readonly StoredOrganisation[]> {
    return (await this.#organisations.scan('bySpreading', { limit })).items;
  }

  /** The writes that make an organisation; its name is taken in the same commit. */
  creation(id: string, organisation: Organisation): Write[] {
    return [
      this.names.taking(organisation.name, { kind: 'organisation', id }),
      this.#organisations.write.insert(id, organisation),
    ];
  }

  /** The write that changes an organisation unless somebody was faster. */
  change({ id, revision }: StoredOrganisation, organisation: Organisation): Write {
    return this.#organisations.write.replace(id, revision, organisation);
  }
}

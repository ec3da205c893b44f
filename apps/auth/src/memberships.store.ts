import { Inject, Injectable } from '@nestjs/common';
import { z } from 'zod';
import { OrganisationRole } from '#libs/contract';
import type { Collection, CollectionSpec, Stored, Write } from '#libs/documents';
import { DATABASE, type Database } from './database.store.js';
import { AUTH_LIMITS } from './limits.js';

const Membership = z.object({
  organisationId: z.string(),
  /** The name of the organisation. */
  organisation: z.string(),
  accountId: z.string(),
  username: z.string(),
  role: OrganisationRole,
  since: z.string(),
});
export type Membership = z.infer<typeof Membership>;
export type StoredMembership = Stored<Membership>;
type Index = 'byOrganisation' | 'byAccount';
const MEMBERSHIPS = {
  name: 'memberships',
  schema: Membership,
  indexes: {
    byOrganisation: { fields: ['organisationId', 'username'] },
    byAccount: { fields: ['accountId', 'organisation'] },
  },
} as const satisfies CollectionSpec<Membership>;

const idOf = (organisationId: string, accountId: string): string => `${organisationId}/${accountId}`;

/** Which people belong to which organisation, and as what. Robots are not in it: each belongs to one, for good. */
@Injectable()
export class MembershipsStore {
  readonly #memberships: Collection<Membership, Index>;

  constructor(@Inject(DATABASE) database: Database) {
    this.#memberships = database.collection<Membership, Index>(MEMBERSHIPS);
  }

  get(organisationId: string, accountId: string): Promise<StoredMembership | undefined> {
    return this.#memberships.get(idOf(organisationId, accountId));
  }

  /** The members of an organisation, in the order of user names. */
  members(
    organisationId: string,
    { limit, cursor }: { readonly limit: number; readonly cursor?: string | undefined },
  ) {
    return this.#memberships.scan('byOrganisation', {
      equal: [organisationId],
      limit,
      ...(cursor === undefined ? {} : { cursor }),
    });
  }

  /** All memberships of an account, in the order of the organisations' names. */
  async of(accountId: string): Promise<readonly StoredMembership[]> {
    const all: StoredMembership[] = [];
    let cursor: string | undefined;
    do {
      const page = await this.#memberships.scan('byAccount', {
        equal: [accountId],
        limit: AUTH_LIMITS.organisationsPerAccount,
        ...(cursor === undefined ? {} : { cursor }),
      });
      all.push(...page.items);
      ({ cursor } = page);
    } while (cursor !== undefined);
    return all;
  }

  creation(membership: Membership): Write {
    return this.#memberships.write.insert(idOf(membership.organisationId, membership.accountId), membership);
  }

  change({ id, revision }: StoredMembership, membership: Membership): Write {
    return this.#memberships.write.replace(id, revision, membership);
  }

  removal({ id, revision }: StoredMembership): Write {
    return this.#memberships.write.delete(id, revision);
  }
}

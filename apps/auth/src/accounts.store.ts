import { Inject, Injectable } from '@nestjs/common';
import { z } from 'zod';
import { RobotRole } from '#libs/contract';
import type { Collection, CollectionSpec, Stored, Write } from '#libs/documents';
import { DATABASE, type Database } from './database.store.js';
import { NamesStore } from './names.store.js';

const common = {
  username: z.string(),
  email: z.string(),
  displayName: z.string(),
  administrator: z.boolean(),
  disabled: z.boolean(),
  createdAt: z.string(),
  /** Opens the roles of the account in the feed; in each of its tokens. */
  rolesKey: z.string(),
  /** The sequence number of the feed entry that tells the present state, once there is one. */
  stateSequence: z.number().int().optional(),
};
const User = z.object({
  kind: z.literal('user'),
  ...common,
  /** Argon2id in PHC form. */
  passwordHash: z.string(),
  /** How often all sessions of the account were ended: a session of another number is over. */
  sessionsEnded: z.number().int(),
});
const Robot = z.object({
  kind: z.literal('robot'),
  ...common,
  organisationId: z.string(),
  /** The name of the organisation. */
  organisation: z.string(),
  role: RobotRole,
});
const Account = z.discriminatedUnion('kind', [User, Robot]);
export type User = z.infer<typeof User>;
export type Robot = z.infer<typeof Robot>;
export type Account = z.infer<typeof Account>;
export type StoredAccount = Stored<Account>;
export type StoredUser = Stored<User>;
export type StoredRobot = Stored<Robot>;

type Index = 'byKind' | 'byOrganisation';
const ACCOUNTS = {
  name: 'accounts',
  schema: Account,
  indexes: {
    byKind: { fields: ['kind', 'username'], unique: true },
    /** Robots only. */
    byOrganisation: { fields: ['organisationId', 'username'] },
  },
} as const satisfies CollectionSpec<Account>;

/** The id of no account. */
export const NOBODY = '0'.repeat(24);

interface ListOptions {
  readonly limit: number;
  readonly cursor?: string | undefined;
}

export function isUser(account: StoredAccount | undefined): account is StoredUser {
  return account?.value.kind === 'user';
}

export function isRobot(account: StoredAccount | undefined): account is StoredRobot {
  return account?.value.kind === 'robot';
}

/** Accounts of people and robots, by id and by name. */
@Injectable()
export class AccountsStore {
  readonly #accounts: Collection<Account, Index>;

  constructor(
    @Inject(DATABASE) database: Database,
    private readonly names: NamesStore,
  ) {
    this.#accounts = database.collection<Account, Index>(ACCOUNTS);
  }

  get(id: string): Promise<StoredAccount | undefined> {
    return this.#accounts.get(id);
  }

  getMany(ids: readonly string[]): Promise<readonly StoredAccount[]> {
    return this.#accounts.getMany(ids);
  }

  /** The account of a name. For a name that nobody has the same look-ups are made, so that their time tells nothing. */
  async find(username: string): Promise<StoredAccount | undefined> {
    const holder = await this.names.find(username);
    const id = holder === undefined || holder.kind === 'organisation' ? NOBODY : holder.id;
    return this.#accounts.get(id);
  }

  /** Accounts of people, in the order of user names. */
  async users(options: ListOptions): Promise<{ items: StoredUser[]; cursor: string | undefined }> {
    const { items, cursor } = await this.#accounts.scan('byKind', { equal: ['user'], ...page(options) });
    return { items: items.filter(isUser), cursor };
  }

  /** The robots of an organisation, in the order of their names. */
  async robots(
    organisationId: string,
    options: ListOptions,
  ): Promise<{ items: StoredRobot[]; cursor: string | undefined }> {
    const { items, cursor } = await this.#accounts.scan('byOrganisation', {
      equal: [organisationId],
      ...page(options),
    });
    return { items: items.filter(isRobot), cursor };
  }

  /** The writes that make an account; its name is taken in the same commit. */
  creation(id: string, account: Account): Write[] {
    return [
      this.names.taking(account.username, { kind: account.kind, id }),
      this.#accounts.write.insert(id, account),
    ];
  }

  /** The write that changes an account unless somebody was faster. */
  change({ id, revision }: StoredAccount, account: Account): Write {
    return this.#accounts.write.replace(id, revision, account);
  }

  /** The write that changes nothing, and fails when somebody changed the account since it was read. */
  unchanged(account: StoredAccount): Write {
    return this.change(account, account.value);
  }
}

function page({ limit, cursor }: ListOptions): { limit: number; cursor?: string } {
  return { limit, ...(cursor === undefined ? {} : { cursor }) };
}

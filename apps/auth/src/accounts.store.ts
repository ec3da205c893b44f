import { Inject, Injectable } from '@nestjs/common';
import { z } from 'zod';
import type { Collection, CollectionSpec, Stored, Write } from '#libs/documents';
import { DATABASE, type Database } from './database.store.js';

const Account = z.object({
  username: z.string(),
  email: z.string(),
  displayName: z.string(),
  administrator: z.boolean(),
  disabled: z.boolean(),
  /** Argon2id in PHC form. */
  passwordHash: z.string(),
  createdAt: z.string(),
});
export type Account = z.infer<typeof Account>;
export type StoredAccount = Stored<Account>;

const ACCOUNTS = {
  name: 'accounts',
  schema: Account,
  indexes: { byUsername: { fields: ['username'], unique: true } },
} as const satisfies CollectionSpec<Account>;

const UsernameDocument = z.object({ accountId: z.string() });
const USERNAMES = {
  name: 'usernames',
  schema: UsernameDocument,
  indexes: {},
} as const satisfies CollectionSpec<z.infer<typeof UsernameDocument>>;

/** Accounts by id, and the look-up from a user name to its account. */
@Injectable()
export class AccountsStore {
  readonly #database: Database;
  readonly #accounts: Collection<Account, 'byUsername'>;
  readonly #usernames: Collection<z.infer<typeof UsernameDocument>, never>;

  constructor(@Inject(DATABASE) database: Database) {
    this.#database = database;
    this.#accounts = database.collection<Account, 'byUsername'>(ACCOUNTS);
    this.#usernames = database.collection<z.infer<typeof UsernameDocument>, never>(USERNAMES);
  }

  get(id: string): Promise<StoredAccount | undefined> {
    return this.#accounts.get(id);
  }

  async find(username: string): Promise<StoredAccount | undefined> {
    const found = await this.#usernames.get(username);
    return found === undefined ? undefined : this.#accounts.get(found.value.accountId);
  }

  /** In the order of user names. */
  async list(options: { readonly limit: number; readonly cursor?: string | undefined }) {
    const { limit, cursor } = options;
    return this.#accounts.scan('byUsername', { limit, ...(cursor === undefined ? {} : { cursor }) });
  }

  /** The writes that make an account; the user name is taken in the same commit. */
  creation(id: string, account: Account): Write[] {
    return [
      this.#usernames.write.insert(account.username, { accountId: id }),
      this.#accounts.write.insert(id, account),
    ];
  }

  /** Writes an account's creation alone. @returns false when the user name is taken */
  async create(id: string, account: Account): Promise<boolean> {
    return (await this.#database.commit(this.creation(id, account))).ok;
  }

  /** The write that changes an account unless somebody was faster. */
  change({ id, revision }: StoredAccount, account: Account): Write {
    return this.#accounts.write.replace(id, revision, account);
  }
}

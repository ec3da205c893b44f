import { Inject, Injectable } from '@nestjs/common';
import type { Collection } from '#libs/documents';
import { type Change, DATABASE, type Database } from '../database.store.js';
import { type Account, type AccountDocument, type AccountIndex, ACCOUNTS } from './documents.store.js';

export type { Account, AccountDocument } from './documents.store.js';

/** What accounts hold, by their names. One that has never pushed anything has no document. */
@Injectable()
export class AccountsStore {
  readonly #accounts: Collection<AccountDocument, AccountIndex>;

  constructor(@Inject(DATABASE) database: Database) {
    this.#accounts = database.collection<AccountDocument, AccountIndex>(ACCOUNTS);
  }

  get(name: string): Promise<Account | undefined> {
    return this.#accounts.get(name);
  }

  /** Fails with `exists`. */
  creation(account: AccountDocument): Change {
    return this.#accounts.write.insert(account.name, account);
  }

  /** Compare and set. */
  replacement({ id, revision }: Account, value: AccountDocument): Change {
    return this.#accounts.write.replace(id, revision, value);
  }

  /**
   * Bytes that an account uses and holds more, or, negative, less.
   * @param account undefined: it has no document, and gets one; fails with `exists` where somebody else was faster
   * @param quota of what is held, 0 for none: fails with `bounds` when more would go over it
   */
  changing(
    name: string,
    account: Account | undefined,
    { size, held }: { readonly size: number; readonly held: number },
    quota: number,
  ): Change[] {
    if (size === 0 && held === 0) return [];
    if (account === undefined) return [this.creation({ name, size, held })];
    const bounds = held > 0 && quota > 0 ? { maximum: quota } : {};
    return [
      ...(size === 0 ? [] : [this.#accounts.write.increment(name, 'size', size)]),
      ...(held === 0 ? [] : [this.#accounts.write.increment(name, 'held', held, bounds)]),
    ];
  }
}

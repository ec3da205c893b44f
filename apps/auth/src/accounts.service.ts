import { Inject, Injectable } from '@nestjs/common';
import { type Actor, type CreateUserRequest, SCOPE_NAMES, Username } from '#libs/contract';
import { type Clock, DomainError, newObjectId } from '#libs/core';
import { CLOCK, PASSWORD_PROOF, type PasswordPresented } from '#libs/server';
import { type Account, AccountsStore, type StoredAccount } from './accounts.store.js';
import { Attempts } from './attempts.js';
import { Passwords } from './passwords.js';

/** Names that cannot be accounts because the library keeps these entities for everybody. */
const RESERVED = new Set(['library', 'default', 'remote-builds']);

/** The rules of accounts and passwords. */
@Injectable()
export class AccountsService {
  readonly #attempts = new Attempts(() => performance.now());
  readonly #passwords = new Passwords();

  constructor(
    private readonly accounts: AccountsStore,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /** Makes an account. @throws DomainError `conflict` when the name is taken, `unprocessable` when it is kept for others */
  async create(request: CreateUserRequest): Promise<StoredAccount> {
    if (RESERVED.has(request.username))
      throw new DomainError('unprocessable', `The name ${request.username} is reserved`, {
        reason: 'username_reserved',
      });
    const id = newObjectId();
    const account = await this.prepare(request);
    if (!(await this.accounts.create(id, account)))
      throw new DomainError('conflict', `There is a user ${request.username} already`, {
        reason: 'user_exists',
      });
    return this.get(id);
  }

  /** The document of a new account; nothing is stored. */
  async prepare(request: CreateUserRequest): Promise<Account> {
    return {
      username: request.username,
      email: request.email ?? '',
      displayName: request.displayName ?? request.username,
      administrator: request.administrator,
      disabled: false,
      passwordHash: await this.#passwords.hash(request.password),
      createdAt: this.clock.now().toISOString(),
    };
  }

  /** @throws DomainError `not_found` */
  async get(id: string): Promise<StoredAccount> {
    return found(await this.accounts.get(id));
  }

  /** @throws DomainError `not_found` */
  async byName(username: string): Promise<StoredAccount> {
    return found(await this.accounts.find(username));
  }

  /** Who an account is, for somebody who proved it before; undefined when it may not sign in any more. */
  async actorOf(id: string): Promise<Actor | undefined> {
    const account = await this.accounts.get(id);
    if (account === undefined || account.value.disabled) return undefined;
    return provenByPassword(account, this.clock.now());
  }

  list(options: { readonly limit: number; readonly cursor?: string | undefined }) {
    return this.accounts.list(options);
  }

  /**
   * Who presents this user name and password. A wrong password and an unknown name get the same answer in the same time.
   * @throws DomainError `unauthorized`; `too_many_requests` after too many wrong ones
   */
  async checkPassword({ username, password, address }: PasswordPresented): Promise<Actor> {
    // What can be no user name is not looked up, but takes as long.
    const name = Username.safeParse(username).success ? username : undefined;
    const takeBack = this.#attempts.begin(name ?? '', address);
    const account = name === undefined ? undefined : await this.accounts.find(name);
    const right = await this.#passwords.verify(account?.value.passwordHash, password);
    if (account === undefined || !right)
      throw new DomainError('unauthorized', 'The user name or the password is wrong', {
        reason: 'password_wrong',
      });
    takeBack();
    if (account.value.disabled)
      throw new DomainError('unauthorized', 'The account is disabled', { reason: 'account_disabled' });
    return provenByPassword(account, this.clock.now());
  }
}

function found(account: StoredAccount | undefined): StoredAccount {
  if (account === undefined)
    throw new DomainError('not_found', 'There is no such user', { reason: 'user_not_found' });
  return account;
}

/** Whoever knows the password may do whatever the account may. */
function provenByPassword({ id, value }: StoredAccount, now: Date): Actor {
  return {
    accountId: id,
    username: value.username,
    email: value.email,
    displayName: value.displayName,
    administrator: value.administrator,
    organisations: {},
    scopes: SCOPE_NAMES,
    tokenId: PASSWORD_PROOF,
    originTokenId: PASSWORD_PROOF,
    expiresAt: now,
    via: undefined,
    subject: undefined,
    token: '',
  };
}

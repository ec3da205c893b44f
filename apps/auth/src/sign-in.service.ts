import { Inject, Injectable } from '@nestjs/common';
import { type AuditEvent, requestOrigin, Trail } from '#libs/audit';
import { type Actor, type RequestOrigin, SCOPE_NAMES, Username } from '#libs/contract';
import { type Clock, DomainError, messageOf } from '#libs/core';
import { CLOCK, LOG, type Logger, Metrics, PASSWORD_PROOF, type PasswordPresented } from '#libs/server';
import { AccountsStore, isUser, type StoredUser } from './accounts.store.js';
import { Attempts } from './attempts.js';
import type { Write } from './database.store.js';
import { passwordRefused, passwordTaken } from './events.js';
import { AUTH_LIMITS } from './limits.js';
import { Passwords } from './passwords.js';
import { StatesService } from './states.service.js';
import { Windows } from './windows.js';

/** Who presents a user name and its password. */
@Injectable()
export class SignInService {
  readonly #attempts = new Attempts(() => performance.now());
  /** Refusals that were recorded: a flood of them must not fill the disk. */
  readonly #recorded = new Windows(() => performance.now());
  /** The password hash that proved each caller. */
  readonly #proofs = new WeakMap<Actor, string>();
  readonly #signIns;

  constructor(
    metrics: Metrics,
    private readonly accounts: AccountsStore,
    private readonly passwords: Passwords,
    private readonly states: StatesService,
    private readonly trail: Trail,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(LOG) private readonly log: Logger,
  ) {
    this.#signIns = metrics.counter({
      name: 'scs_auth_sign_ins_total',
      help: 'Passwords that were presented; limited = not looked at, because of too many wrong ones',
      labels: { result: ['accepted', 'refused', 'limited'] },
    });
  }

  /**
   * Who presents this user name and password. A wrong password and an unknown name get the same answer after the same work.
   * @throws DomainError `unauthorized`; `too_many_requests` after too many wrong ones
   */
  async check(presented: PasswordPresented): Promise<Actor> {
    try {
      const actor = await this.#check(presented);
      this.#signIns({ result: 'accepted' });
      return actor;
    } catch (error) {
      if (error instanceof DomainError && error.code === 'unauthorized') this.#signIns({ result: 'refused' });
      if (error instanceof DomainError && error.code === 'too_many_requests')
        this.#signIns({ result: 'limited' });
      throw error;
    }
  }

  async #check({ username, password, address, client }: PasswordPresented): Promise<Actor> {
    const from = requestOrigin(address, client);
    // What can be no user name is not looked up, but takes as long.
    const name = Username.safeParse(username).success ? username : '';
    const takeBack = this.#attempts.begin(name, address);
    const found = await this.accounts.find(name === '' ? 'nobody' : name);
    const account = name !== '' && isUser(found) ? found : undefined;
    const right = await this.passwords.verify(account?.value.passwordHash, password);
    if (account === undefined || !right) {
      // Of an unknown name as well: it takes as long.
      await this.#refused(account, 'password_wrong', from);
      throw wrong();
    }
    takeBack();
    if (account.value.disabled) {
      await this.#refused(account, 'account_disabled', from);
      throw new DomainError('unauthorized', 'The account is disabled', { reason: 'account_disabled' });
    }
    const actor = await this.#proven(account, from);
    await this.#record(passwordTaken(actor));
    return actor;
  }

  /**
   * Who an account is, for a session that it began.
   * @param sessionsEnded how often its sessions had been ended then
   * @returns undefined when they were ended since, or the account may not sign in any more
   */
  async again(accountId: string, sessionsEnded: number): Promise<Actor | undefined> {
    const account = await this.accounts.get(accountId);
    if (!isUser(account) || account.value.disabled) return undefined;
    return account.value.sessionsEnded === sessionsEnded ? this.#proven(account) : undefined;
  }

  /**
   * What a commit has to contain so that it does not happen when the password that the caller presented was changed meanwhile.
   * Nothing for a caller who presented a token: that one ends by the feed.
   * @param changing the account that the commit changes anyway, if its revision was read before this call
   * @throws DomainError `unauthorized` when that is already so
   */
  async guards(actor: Actor, changing?: string): Promise<Write[]> {
    const hash = this.#proofs.get(actor);
    if (hash === undefined) return [];
    const account = await this.accounts.get(actor.accountId);
    if (!isUser(account) || account.value.disabled || account.value.passwordHash !== hash) throw wrong();
    return account.id === changing ? [] : [this.accounts.unchanged(account)];
  }

  async #refused(account: StoredUser | undefined, reason: string, from: RequestOrigin): Promise<void> {
    try {
      this.#recorded.take([['', AUTH_LIMITS.recordedRefusals]], () => new Error('Too many'));
    } catch {
      return;
    }
    await this.#record(passwordRefused(account?.value.username ?? null, reason, from));
  }

  /** A sign-in changes nothing: one that cannot be recorded, because the disk is full, is what repairs that. */
  async #record(event: AuditEvent): Promise<void> {
    await this.trail
      .record(event)
      .catch((error: unknown) => this.log.error(`A sign-in was not recorded: ${messageOf(error)}`));
  }

  /** Whoever knows the password may do whatever the account may. */
  async #proven(account: StoredUser, from?: RequestOrigin): Promise<Actor> {
    const { id, value } = account;
    const actor: Actor = {
      accountId: id,
      kind: 'user',
      username: value.username,
      email: value.email,
      displayName: value.displayName,
      administrator: value.administrator,
      organisations: await this.states.rolesOf(account),
      scopes: SCOPE_NAMES,
      tokenId: PASSWORD_PROOF,
      originTokenId: PASSWORD_PROOF,
      expiresAt: this.clock.now(),
      via: undefined,
      subject: undefined,
      ...(from === undefined ? {} : { from }),
      token: '',
    };
    this.#proofs.set(actor, value.passwordHash);
    return actor;
  }
}

function wrong(): DomainError {
  return new DomainError('unauthorized', 'The user name or the password is wrong', {
    reason: 'password_wrong',
  });
}

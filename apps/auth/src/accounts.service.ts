import { Inject, Injectable } from '@nestjs/common';
import { type Caller, Trail } from '#libs/audit';
import type { Actor, ChangePasswordRequest, ChangeUserRequest, CreateUserRequest } from '#libs/contract';
import { type Clock, DomainError, newObjectId } from '#libs/core';
import { CLOCK, newRolesKey } from '#libs/server';
import { AccountsStore, isUser, type StoredAccount, type StoredUser, type User } from './accounts.store.js';
import type { Write } from './database.store.js';
import { accountChanged, accountCreated, passwordChanged } from './events.js';
import { requireFreeName } from './names.js';
import { NamesStore } from './names.store.js';
import { Passwords } from './passwords.js';
import { enforce, mayChangePassword, mayChangeUser, maySeeUser } from './policy.js';
import { RevocationsService } from './revocations.service.js';
import { RevocationsStore } from './revocations.store.js';
import { SignInService } from './sign-in.service.js';
import { StatesService } from './states.service.js';

/** The rules of the accounts of people. */
@Injectable()
export class AccountsService {
  constructor(
    private readonly accounts: AccountsStore,
    private readonly names: NamesStore,
    private readonly commits: RevocationsStore,
    private readonly revocations: RevocationsService,
    private readonly states: StatesService,
    private readonly signIns: SignInService,
    private readonly passwords: Passwords,
    private readonly trail: Trail,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /** Makes an account. @throws DomainError `conflict` when the name is taken, `unprocessable` when it is kept for others */
  async create(actor: Caller | null, request: CreateUserRequest): Promise<StoredUser> {
    await requireFreeName(this.names, request.username);
    const id = newObjectId();
    const account = await this.prepare(request);
    await this.commits.commit(async () => {
      await requireFreeName(this.names, request.username);
      const entry = this.trail.write(accountCreated(actor, account));
      return { announcements: [], writes: [...this.accounts.creation(id, account), entry] };
    });
    return this.get(id);
  }

  /** The document of a new account; nothing is stored. */
  async prepare(request: CreateUserRequest): Promise<User> {
    return {
      kind: 'user',
      username: request.username,
      email: request.email ?? '',
      displayName: request.displayName ?? request.username,
      administrator: request.administrator,
      disabled: false,
      passwordHash: await this.passwords.hash(request.password),
      sessionsEnded: 0,
      rolesKey: newRolesKey(),
      createdAt: this.clock.now().toISOString(),
    };
  }

  /** @throws DomainError `not_found` */
  async get(id: string): Promise<StoredUser> {
    return found(await this.accounts.get(id));
  }

  /** @throws DomainError `not_found` */
  async byName(username: string): Promise<StoredUser> {
    return found(await this.accounts.find(username));
  }

  /** An account, for its owner and for administrators, with its present roles. @throws DomainError `not_found` */
  async show(actor: Actor, username: string) {
    // Decided before the name is looked up: who may not see it does not learn whether there is one.
    enforce(maySeeUser(actor, username));
    const account = await this.byName(username);
    return { account, roles: await this.states.rolesOf(account) };
  }

  list(options: { readonly limit: number; readonly cursor?: string | undefined }) {
    return this.accounts.users(options);
  }

  /**
   * Changes what is said about an account, or what it may do. Disabling ends its sessions.
   * @throws DomainError `not_found`, `forbidden`, `unprocessable` when administrators would lock themselves out
   */
  async change(actor: Actor, username: string, request: ChangeUserRequest): Promise<StoredUser> {
    enforce(mayChangeUser(actor, username, request));
    const { id } = await this.byName(username);
    const changed = await this.states.change(id, async (stored) => {
      const account = found(stored);
      const value = changedUser(account.value, request);
      if (JSON.stringify(value) === JSON.stringify(account.value)) return undefined;
      const { disabled, administrator } = value;
      const tell = disabled !== account.value.disabled || administrator !== account.value.administrator;
      const entry = this.trail.write(accountChanged(actor, account.value, value));
      return { value, tell, writes: [...(await this.guards(actor, account, value)), entry] };
    });
    return found(changed);
  }

  /**
   * Gives an account another password. All its sessions end; its tokens too when that is asked for, or when somebody else does it.
   * @throws DomainError `not_found`, `forbidden`, `unauthorized` when the old password was changed meanwhile
   */
  async changePassword(actor: Actor, username: string, request: ChangePasswordRequest): Promise<StoredUser> {
    enforce(mayChangePassword(actor, username));
    const { id } = await this.byName(username);
    const revokeTokens = request.revokeTokens ?? actor.accountId !== id;
    const passwordHash = await this.passwords.hash(request.password);
    const changed = await this.states.change(id, async (stored) => {
      const account = found(stored);
      const guards = await this.signIns.guards(actor, id);
      const value = endSessions({ ...account.value, passwordHash });
      const ended = revokeTokens ? await this.revocations.endingTokens(id) : undefined;
      return {
        value,
        tell: false,
        writes: [
          ...guards,
          ...(ended?.writes ?? []),
          this.trail.write(passwordChanged(actor, username, ended?.writes.length ?? 0)),
        ],
        announcements: ended?.announcements ?? [],
      };
    });
    // More than one commit holds: none has to be ended in the usual case.
    if (revokeTokens)
      await this.revocations.revokeTokensOf(id, (tokens) =>
        this.trail.write(passwordChanged(actor, username, tokens)),
      );
    return found(changed);
  }

  /** What must not change while the commit is under way, so that it stays true that the caller may do it. */
  private async guards(actor: Actor, account: StoredUser, value: User): Promise<Write[]> {
    const proof = await this.signIns.guards(actor, account.id);
    const loses = account.value.administrator && (value.disabled || !value.administrator);
    if (!loses) return proof;
    // Two administrators who demote each other at once: the second one no longer is one, so one is left.
    const self = await this.accounts.get(actor.accountId);
    if (!isUser(self) || self.value.disabled || !self.value.administrator)
      throw new DomainError('forbidden', 'You are no administrator any more', { reason: 'scope_missing' });
    return [this.accounts.unchanged(self)];
  }
}

function found(account: StoredAccount | undefined): StoredUser {
  if (isUser(account)) return account;
  throw new DomainError('not_found', 'There is no such user', { reason: 'user_not_found' });
}

/** Ends all sessions of the pages: each knows how often sessions had been ended when it began. */
function endSessions(user: User): User {
  return { ...user, sessionsEnded: user.sessionsEnded + 1 };
}

/** Field by field, so that nothing of a request gets into an account by accident. */
function changedUser(user: User, request: ChangeUserRequest): User {
  const changed: User = {
    ...user,
    email: request.email ?? user.email,
    displayName: request.displayName ?? user.displayName,
    administrator: request.administrator ?? user.administrator,
    disabled: request.disabled ?? user.disabled,
  };
  return changed.disabled && !user.disabled ? endSessions(changed) : changed;
}

import { Inject, Injectable } from '@nestjs/common';
import type { OrganisationRole } from '#libs/contract';
import { type Clock, DomainError } from '#libs/core';
import { CLOCK, type Roles, sealRoles, TokenVerifier } from '#libs/server';
import { type Account, AccountsStore, isRobot, type StoredAccount } from './accounts.store.js';
import type { Write } from './database.store.js';
import { AUTH_LIMITS } from './limits.js';
import { MembershipsStore } from './memberships.store.js';
import { OrganisationsStore } from './organisations.store.js';
import { type Announcement, type Change, RevocationsStore } from './revocations.store.js';

/** A role that an account gets, or loses (undefined), in the commit that is being prepared. */
export interface RoleChange {
  readonly organisation: string;
  readonly role: OrganisationRole | undefined;
}

/** What is to become of an account. What is absent stays as it is. */
export interface AccountChange {
  readonly account: StoredAccount;
  readonly value?: Account;
  readonly role?: RoleChange;
  /** Whether other services have to know: disabled, administrator, roles. */
  readonly tell: boolean;
  /** What else belongs into the commit. */
  readonly writes?: readonly Write[];
  readonly announcements?: readonly Announcement[];
}

/**
 * The present state of accounts, as every service knows it from the feed: whether it is disabled, an administrator, and its
 * roles. Each change is one commit with its entry, and holds in this process when it was made, elsewhere within a second.
 */
@Injectable()
export class StatesService {
  constructor(
    private readonly revocations: RevocationsStore,
    private readonly accounts: AccountsStore,
    private readonly organisations: OrganisationsStore,
    private readonly memberships: MembershipsStore,
    private readonly verifier: TokenVerifier,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /**
   * Changes one account.
   * @param prepare looks at the account as it is now; undefined when nothing is left to do. Called again when somebody was faster.
   * @returns the account afterwards
   * @throws DomainError `not_found`, and whatever prepare throws
   */
  async change(
    accountId: string,
    prepare: (account: StoredAccount) => Promise<Omit<AccountChange, 'account'> | undefined>,
  ): Promise<StoredAccount> {
    await this.commit(async (next) => {
      const account = await this.account(accountId);
      const change = await prepare(account);
      return change === undefined ? undefined : this.changing({ account, ...change }, next);
    });
    return this.account(accountId);
  }

  /** Commits, and waits until this process knows what was told. */
  async commit(prepare: (next: number) => Promise<Change | undefined>): Promise<void> {
    await this.revocations.commit(prepare);
    await this.verifier.refreshAfterChange();
  }

  /** The writes and announcements of a change, the first of them numbered `next`. */
  async changing(change: AccountChange, next: number): Promise<Change> {
    const { account, tell, writes = [], announcements = [] } = change;
    const value = change.value ?? account.value;
    if (!tell) return { writes: [this.accounts.change(account, value), ...writes], announcements };
    const { stateSequence } = account.value;
    const until = Math.ceil(this.clock.now().getTime() / 1000) + AUTH_LIMITS.supersededSeconds;
    const entry = await this.entry(account.id, value, await this.rolesOf(account, value, change.role));
    return {
      writes: [this.accounts.change(account, { ...value, stateSequence: next }), ...writes],
      announcements: [
        {
          entry,
          supersedes: stateSequence === undefined ? undefined : { sequence: stateSequence, until },
        },
        ...announcements,
      ],
    };
  }

  /** The entry of a state. */
  async entry(id: string, account: Account, roles: Roles): Promise<Announcement['entry']> {
    const organisations = await sealRoles(account.rolesKey, roles);
    return {
      kind: 'account',
      id,
      disabled: account.disabled,
      administrator: account.administrator,
      ...(organisations === undefined ? {} : { organisations }),
    };
  }

  /** The roles of an account in organisations that are not disabled. */
  async rolesOf(account: StoredAccount, value = account.value, change?: RoleChange): Promise<Roles> {
    const roles = new Map(await this.storedRoles({ ...account, value }));
    if (change?.role !== undefined) roles.set(change.organisation, change.role);
    else if (change !== undefined) roles.delete(change.organisation);
    return Object.fromEntries(roles);
  }

  private async storedRoles(account: StoredAccount): Promise<[string, OrganisationRole][]> {
    if (isRobot(account)) {
      const { organisationId, organisation, role } = account.value;
      const found = await this.organisations.get(organisationId);
      return found?.value.disabled === false ? [[organisation, role]] : [];
    }
    const memberships = await this.memberships.of(account.id);
    const found = await this.organisations.getMany(memberships.map(({ value }) => value.organisationId));
    const enabled = new Set(found.filter(({ value }) => !value.disabled).map(({ id }) => id));
    return memberships
      .filter(({ value }) => enabled.has(value.organisationId))
      .map(({ value }) => [value.organisation, value.role]);
  }

  private async account(id: string): Promise<StoredAccount> {
    const account = await this.accounts.get(id);
    if (account !== undefined) return account;
    throw new DomainError('not_found', 'There is no such user', { reason: 'user_not_found' });
  }
}

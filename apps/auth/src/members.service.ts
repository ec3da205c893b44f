import { Inject, Injectable } from '@nestjs/common';
import { Trail } from '#libs/audit';
import type { Actor, OrganisationRole } from '#libs/contract';
import { type Clock, DomainError } from '#libs/core';
import { CLOCK } from '#libs/server';
import { AccountsStore, isUser, type StoredUser } from './accounts.store.js';
import { memberChanged } from './events.js';
import { AUTH_LIMITS } from './limits.js';
import { type Membership, MembershipsStore, type StoredMembership } from './memberships.store.js';
import { noUser, OrganisationsService, requireFewOrganisations } from './organisations.service.js';
import { type Organisation, OrganisationsStore, type StoredOrganisation } from './organisations.store.js';
import { enforce, mayManageOrganisation, mayRemoveMember, maySeeOrganisation } from './policy.js';
import { SignInService } from './sign-in.service.js';
import { StatesService } from './states.service.js';

/** Who belongs to an organisation, and as what. Each change is told to every service. */
@Injectable()
export class MembersService {
  constructor(
    private readonly all: OrganisationsService,
    private readonly organisations: OrganisationsStore,
    private readonly memberships: MembershipsStore,
    private readonly accounts: AccountsStore,
    private readonly states: StatesService,
    private readonly signIns: SignInService,
    private readonly trail: Trail,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /** In the order of user names. @throws DomainError `not_found`, also for whoever is no member */
  async list(
    actor: Actor,
    organisation: string,
    options: { readonly limit: number; readonly cursor?: string | undefined },
  ) {
    enforce(maySeeOrganisation(actor, organisation));
    const { id } = await this.all.byName(organisation);
    return this.memberships.members(id, options);
  }

  /**
   * Makes a user a member, or gives a member another role.
   * @throws DomainError `not_found`, `forbidden`, `unprocessable` when no owner would be left
   */
  async set(actor: Actor, name: string, username: string, role: OrganisationRole): Promise<StoredMembership> {
    enforce(mayManageOrganisation(actor, name));
    const { id } = await this.all.byName(name);
    const user = await this.user(username);
    await this.states.change(user.id, async () => {
      const organisation = await this.all.get(id);
      const membership = await this.memberships.get(id, user.id);
      if (membership?.value.role === role) return undefined;
      const counted = countedWith(organisation, membership?.value.role, role);
      if (membership === undefined) {
        requireFewMembers(counted);
        await requireFewOrganisations(this.memberships, user.id);
      }
      return {
        role: presentRole(organisation, role),
        tell: true,
        writes: [
          this.organisations.change(organisation, counted),
          membership === undefined
            ? this.memberships.creation(this.newMembership(organisation, user, role))
            : this.memberships.change(membership, { ...membership.value, role }),
          ...(await this.signIns.guards(actor, user.id)),
          this.trail.write(
            memberChanged(actor, { organisation: name, username }, membership?.value.role, role),
          ),
        ],
      };
    });
    const stored = await this.memberships.get(id, user.id);
    if (stored === undefined) throw noMember(username, name);
    return stored;
  }

  /**
   * Ends a membership: by an owner, an administrator, or the member. What it allowed ends everywhere within a second.
   * @returns what it was
   * @throws DomainError `not_found`, `forbidden`, `unprocessable` when no owner would be left
   */
  async remove(actor: Actor, name: string, username: string): Promise<StoredMembership> {
    enforce(mayRemoveMember(actor, name, username));
    const { id } = await this.all.byName(name);
    const user = await this.user(username);
    let removed: StoredMembership | undefined;
    await this.states.change(user.id, async () => {
      const organisation = await this.all.get(id);
      const membership = await this.memberships.get(id, user.id);
      if (membership === undefined) throw noMember(username, name);
      removed = membership;
      return {
        role: { organisation: name, role: undefined },
        tell: true,
        writes: [
          this.organisations.change(
            organisation,
            countedWith(organisation, membership.value.role, undefined),
          ),
          this.memberships.removal(membership),
          ...(await this.signIns.guards(actor, user.id)),
          this.trail.write(memberChanged(actor, membership.value, membership.value.role, undefined)),
        ],
      };
    });
    if (removed === undefined) throw noMember(username, name);
    return removed;
  }

  private async user(username: string): Promise<StoredUser> {
    const account = await this.accounts.find(username);
    if (!isUser(account)) throw noUser(username);
    return account;
  }

  private newMembership(
    { id, value }: StoredOrganisation,
    user: StoredUser,
    role: OrganisationRole,
  ): Membership {
    return {
      organisationId: id,
      organisation: value.name,
      accountId: user.id,
      username: user.value.username,
      role,
      since: this.clock.now().toISOString(),
    };
  }
}

/** In an organisation that is disabled nobody has a role, whatever the membership says. */
function presentRole({ value }: StoredOrganisation, role: OrganisationRole) {
  return { organisation: value.name, role: value.disabled ? undefined : role };
}

/** The organisation when somebody's role changed; undefined is no member. @throws DomainError when no owner would be left */
function countedWith(
  { value }: StoredOrganisation,
  before: OrganisationRole | undefined,
  after: OrganisationRole | undefined,
): Organisation {
  const owners = value.owners + Number(after === 'owner') - Number(before === 'owner');
  if (owners < 1)
    throw new DomainError('unprocessable', `${value.name} needs an owner: name another one first`, {
      reason: 'last_owner',
    });
  const members = value.members + Number(after !== undefined) - Number(before !== undefined);
  return { ...value, owners, members };
}

function requireFewMembers({ name, members }: Organisation): void {
  const most = AUTH_LIMITS.membersPerOrganisation;
  if (members <= most) return;
  throw new DomainError('unprocessable', `Expected at most ${most} members of ${name}`, {
    reason: 'too_many_members',
  });
}

function noMember(username: string, organisation: string): DomainError {
  return new DomainError('not_found', `${username} is no member of ${organisation}`, {
    reason: 'member_not_found',
  });
}

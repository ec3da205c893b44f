import { Inject, Injectable } from '@nestjs/common';
import { type Caller, Trail } from '#libs/audit';
import type { Actor, ChangeOrganisationRequest, CreateOrganisationRequest } from '#libs/contract';
import { type Clock, DomainError, newObjectId } from '#libs/core';
import { CLOCK } from '#libs/server';
import { AccountsStore, isUser } from './accounts.store.js';
import { organisationChanged, organisationCreated } from './events.js';
import { AUTH_LIMITS } from './limits.js';
import { MembershipsStore } from './memberships.store.js';
import { requireFreeName } from './names.js';
import { NamesStore } from './names.store.js';
import { type Organisation, OrganisationsStore, type StoredOrganisation } from './organisations.store.js';
import { enforce, mayChangeOrganisation, mayListOrganisations, maySeeOrganisation } from './policy.js';
import { SignInService } from './sign-in.service.js';
import { SpreadService } from './spread.service.js';
import { StatesService } from './states.service.js';

interface Page {
  readonly items: readonly StoredOrganisation[];
  readonly cursor?: string | undefined;
}

/** The rules of organisations; their members and robots have services of their own. */
@Injectable()
export class OrganisationsService {
  constructor(
    private readonly organisations: OrganisationsStore,
    private readonly memberships: MembershipsStore,
    private readonly accounts: AccountsStore,
    private readonly names: NamesStore,
    private readonly states: StatesService,
    private readonly spreads: SpreadService,
    private readonly signIns: SignInService,
    private readonly trail: Trail,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /**
   * Makes an organisation with its first owner.
   * @throws DomainError `conflict` when the name is taken, `not_found` when there is no such user
   */
  async create(actor: Caller | null, request: CreateOrganisationRequest): Promise<StoredOrganisation> {
    const { name, displayName = name } = request;
    const id = newObjectId();
    await this.states.commit(async (next) => {
      await requireFreeName(this.names, name);
      const owner = await this.accounts.find(request.owner);
      if (!isUser(owner)) throw noUser(request.owner);
      await requireFewOrganisations(this.memberships, owner.id);
      const now = this.clock.now().toISOString();
      const organisation: Organisation = {
        name,
        displayName,
        disabled: false,
        createdAt: now,
        members: 1,
        owners: 1,
        robots: 0,
      };
      const { username } = owner.value;
      return this.states.changing(
        {
          account: owner,
          role: { organisation: name, role: 'owner' },
          tell: true,
          writes: [
            ...this.organisations.creation(id, organisation),
            this.memberships.creation({
              organisationId: id,
              organisation: name,
              accountId: owner.id,
              username,
              role: 'owner',
              since: now,
            }),
            this.trail.write(organisationCreated(actor, organisation, username)),
          ],
        },
        next,
      );
    });
    return this.get(id);
  }

  /** All organisations for administrators, otherwise those of the actor; by name. */
  async list(
    actor: Actor,
    options: { readonly limit: number; readonly cursor?: string | undefined },
  ): Promise<Page> {
    if (mayListOrganisations(actor).allowed) return this.organisations.list(options);
    const names = Object.keys(actor.organisations).sort();
    const after =
      options.cursor === undefined ? names : names.filter((name) => name > (options.cursor ?? ''));
    const page = after.slice(0, options.limit);
    return {
      items: await this.organisations.findMany(page),
      cursor: page.length < after.length ? page.at(-1) : undefined,
    };
  }

  /** @throws DomainError `not_found`, also for whoever is no member */
  async show(actor: Actor, name: string): Promise<StoredOrganisation> {
    enforce(maySeeOrganisation(actor, name));
    return this.byName(name);
  }

  /**
   * Changes what an organisation is called, or disables it: then nobody has a role in it, and its robots have none at all.
   * @throws DomainError `not_found`, `forbidden`
   */
  async change(actor: Actor, name: string, request: ChangeOrganisationRequest): Promise<StoredOrganisation> {
    enforce(mayChangeOrganisation(actor, name, request));
    const { id } = await this.byName(name);
    let spreading = false;
    await this.states.commit(async () => {
      const organisation = await this.get(id);
      const { disabled = organisation.value.disabled, displayName = organisation.value.displayName } =
        request;
      spreading = disabled !== organisation.value.disabled;
      if (!spreading && displayName === organisation.value.displayName) return undefined;
      const value: Organisation = {
        ...organisation.value,
        displayName,
        disabled,
        ...(spreading ? { spreadingSince: this.clock.now().toISOString() } : {}),
      };
      return {
        announcements: [],
        writes: [
          this.organisations.change(organisation, value),
          ...(await this.signIns.guards(actor)),
          this.trail.write(organisationChanged(actor, organisation.value, value)),
        ],
      };
    });
    if (spreading) await this.spreads.spread(id);
    return this.get(id);
  }

  /** @throws DomainError `not_found` */
  async byName(name: string): Promise<StoredOrganisation> {
    return found(await this.organisations.find(name));
  }

  /** @throws DomainError `not_found` */
  async get(id: string): Promise<StoredOrganisation> {
    return found(await this.organisations.get(id));
  }
}

function found(organisation: StoredOrganisation | undefined): StoredOrganisation {
  if (organisation !== undefined) return organisation;
  throw new DomainError('not_found', 'There is no such organisation', { reason: 'organisation_not_found' });
}

/** @throws DomainError `unprocessable`: the account is in as many as one may be */
export async function requireFewOrganisations(
  memberships: MembershipsStore,
  accountId: string,
): Promise<void> {
  const most = AUTH_LIMITS.organisationsPerAccount;
  if ((await memberships.of(accountId)).length < most) return;
  throw new DomainError('unprocessable', `Expected at most ${most} organisations of one account`, {
    reason: 'too_many_organisations',
  });
}

export function noUser(username: string): DomainError {
  return new DomainError('not_found', `There is no user ${username}`, { reason: 'user_not_found' });
}

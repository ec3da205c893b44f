import { Inject, Injectable } from '@nestjs/common';
import { Trail } from '#libs/audit';
import { type Actor, type ChangeRobotRequest, type CreateRobotRequest, robotUsername } from '#libs/contract';
import { type Clock, DomainError, newObjectId } from '#libs/core';
import { CLOCK, newRolesKey } from '#libs/server';
import {
  AccountsStore,
  isRobot,
  type Robot,
  type StoredAccount,
  type StoredRobot,
} from './accounts.store.js';
import { robotChanged, robotCreated } from './events.js';
import { AUTH_LIMITS } from './limits.js';
import { requireFreeName } from './names.js';
import { NamesStore } from './names.store.js';
import { OrganisationsService } from './organisations.service.js';
import { OrganisationsStore } from './organisations.store.js';
import { enforce, mayManageOrganisation, maySeeRobots } from './policy.js';
import { SignInService } from './sign-in.service.js';
import { StatesService } from './states.service.js';

/** Robots: accounts without a password that belong to an organisation and have one role there, for its machines. */
@Injectable()
export class RobotsService {
  constructor(
    private readonly all: OrganisationsService,
    private readonly organisations: OrganisationsStore,
    private readonly accounts: AccountsStore,
    private readonly names: NamesStore,
    private readonly states: StatesService,
    private readonly signIns: SignInService,
    private readonly trail: Trail,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /** By name. @throws DomainError `not_found`, `forbidden` */
  async list(
    actor: Actor,
    organisation: string,
    options: { readonly limit: number; readonly cursor?: string | undefined },
  ) {
    enforce(maySeeRobots(actor, organisation));
    const { id } = await this.all.byName(organisation);
    return this.accounts.robots(id, options);
  }

  /** @throws DomainError `not_found`, `forbidden`, `conflict` when the name is taken */
  async create(actor: Actor, name: string, request: CreateRobotRequest): Promise<StoredRobot> {
    enforce(mayManageOrganisation(actor, name));
    const { id: organisationId } = await this.all.byName(name);
    const username = robotUsername(name, request.name);
    const id = newObjectId();
    await this.states.commit(async (next) => {
      await requireFreeName(this.names, username);
      const organisation = await this.all.get(organisationId);
      const robots = organisation.value.robots + 1;
      if (robots > AUTH_LIMITS.robotsPerOrganisation) throw tooMany(name);
      const robot: Robot = {
        kind: 'robot',
        username,
        email: '',
        displayName: request.displayName ?? username,
        administrator: false,
        disabled: false,
        createdAt: this.clock.now().toISOString(),
        rolesKey: newRolesKey(),
        stateSequence: next,
        organisationId,
        organisation: name,
        role: request.role,
      };
      const roles = organisation.value.disabled ? {} : { [name]: request.role };
      return {
        announcements: [{ entry: await this.states.entry(id, robot, roles) }],
        writes: [
          ...this.accounts.creation(id, robot),
          this.organisations.change(organisation, { ...organisation.value, robots }),
          ...(await this.signIns.guards(actor)),
          this.trail.write(robotCreated(actor, robot)),
        ],
      };
    });
    return found(await this.accounts.get(id));
  }

  /** Changes a robot; disabled, all its tokens are refused. @throws DomainError `not_found`, `forbidden` */
  async change(actor: Actor, name: string, robot: string, request: ChangeRobotRequest): Promise<StoredRobot> {
    enforce(mayManageOrganisation(actor, name));
    const { id } = found(await this.accounts.find(robotUsername(name, robot)));
    const changed = await this.states.change(id, async (account) => {
      const { value: before } = found(account);
      const value: Robot = {
        ...before,
        displayName: request.displayName ?? before.displayName,
        role: request.role ?? before.role,
        disabled: request.disabled ?? before.disabled,
      };
      if (JSON.stringify(value) === JSON.stringify(before)) return undefined;
      const tell = value.role !== before.role || value.disabled !== before.disabled;
      const entry = this.trail.write(robotChanged(actor, before, value));
      return { value, tell, writes: [...(await this.signIns.guards(actor)), entry] };
    });
    return found(changed);
  }
}

function found(account: StoredAccount | undefined): StoredRobot {
  if (isRobot(account)) return account;
  throw new DomainError('not_found', 'There is no such robot', { reason: 'robot_not_found' });
}

function tooMany(organisation: string): DomainError {
  const most = AUTH_LIMITS.robotsPerOrganisation;
  return new DomainError('unprocessable', `Expected at most ${most} robots of ${organisation}`, {
    reason: 'too_many_robots',
  });
}

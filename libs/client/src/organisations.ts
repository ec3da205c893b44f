import {
  AUTH_PATHS,
  type ChangeOrganisationRequest,
  type ChangeRobotRequest,
  type CreateOrganisationRequest,
  type CreateRobotRequest,
  MemberAnswer,
  type MemberRecord,
  MembersAnswer,
  OrganisationAnswer,
  type OrganisationRecord,
  type OrganisationRole,
  OrganisationsAnswer,
  RobotAnswer,
  type RobotRecord,
  RobotsAnswer,
} from '#libs/contract';
import type { AuthCalls } from './auth-calls.js';

/** The organisations of the auth service, with their members and robots. */
export class OrganisationsClient {
  readonly #calls: AuthCalls;

  constructor(calls: AuthCalls) {
    this.#calls = calls;
  }

  /** All for an administrator's token, otherwise the caller's own; by name. */
  list(): Promise<readonly OrganisationRecord[]> {
    return this.#calls.pages(AUTH_PATHS.organisations, OrganisationsAnswer);
  }

  async create(request: CreateOrganisationRequest): Promise<OrganisationRecord> {
    const call = { method: 'POST', json: request } as const;
    return (await this.#calls.call(AUTH_PATHS.organisations, OrganisationAnswer, call)).data;
  }

  async show(name: string): Promise<OrganisationRecord> {
    return (await this.#calls.call(pathOf(name), OrganisationAnswer)).data;
  }

  async change(name: string, change: ChangeOrganisationRequest): Promise<OrganisationRecord> {
    const call = { method: 'PATCH', json: change } as const;
    return (await this.#calls.call(pathOf(name), OrganisationAnswer, call)).data;
  }

  /** By user name. */
  members(name: string): Promise<readonly MemberRecord[]> {
    return this.#calls.pages(pathOf(name, 'members'), MembersAnswer);
  }

  /** Makes a member, or gives another role. */
  async setMember(name: string, username: string, role: OrganisationRole): Promise<MemberRecord> {
    const call = { method: 'PUT', json: { role } } as const;
    return (await this.#calls.call(pathOf(name, 'members', username), MemberAnswer, call)).data;
  }

  async removeMember(name: string, username: string): Promise<MemberRecord> {
    const path = pathOf(name, 'members', username);
    return (await this.#calls.call(path, MemberAnswer, { method: 'DELETE' })).data;
  }

  /** By name. */
  robots(name: string): Promise<readonly RobotRecord[]> {
    return this.#calls.pages(pathOf(name, 'robots'), RobotsAnswer);
  }

  async createRobot(name: string, request: CreateRobotRequest): Promise<RobotRecord> {
    const call = { method: 'POST', json: request } as const;
    return (await this.#calls.call(pathOf(name, 'robots'), RobotAnswer, call)).data;
  }

  /** @param robot the part of its name behind the organisation */
  async changeRobot(name: string, robot: string, change: ChangeRobotRequest): Promise<RobotRecord> {
    const call = { method: 'PATCH', json: change } as const;
    return (await this.#calls.call(pathOf(name, 'robots', robot), RobotAnswer, call)).data;
  }
}

function pathOf(...names: readonly string[]): string {
  return [AUTH_PATHS.organisations, ...names.map(encodeURIComponent)].join('/');
}

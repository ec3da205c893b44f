import type {
  Actor,
  MemberRecord,
  OrganisationRecord,
  RobotRecord,
  TokenRecord,
  UserRecord,
} from '#libs/contract';
import type { StoredRobot, StoredUser } from './accounts.store.js';
import type { StoredMembership } from './memberships.store.js';
import type { StoredOrganisation } from './organisations.store.js';
import { roleIn } from './policy.js';
import type { StoredToken } from './tokens.store.js';

/** What is told about an account: field by field, so that nothing is told by accident. */
export function presentUser({ id, value }: StoredUser): UserRecord {
  return {
    id,
    username: value.username,
    email: value.email,
    displayName: value.displayName,
    administrator: value.administrator,
    disabled: value.disabled,
    createdAt: value.createdAt,
  };
}

/** What is told about a token. */
export function presentToken({ id, value }: StoredToken): TokenRecord {
  return {
    id,
    name: value.name,
    username: value.username,
    scopes: [...value.scopes],
    createdAt: value.createdAt,
    expiresAt: value.expiresAt,
    revokedAt: value.revokedAt ?? null,
    lastUsed: value.lastUsed ?? null,
  };
}

/** What is told about an organisation, to somebody who may see it. */
export function presentOrganisation({ id, value }: StoredOrganisation, actor: Actor): OrganisationRecord {
  return {
    id,
    name: value.name,
    displayName: value.displayName,
    disabled: value.disabled,
    createdAt: value.createdAt,
    members: value.members,
    role: roleIn(actor, value.name) ?? null,
  };
}

/** What is told about a member: not more than the name and the role. */
export function presentMember({ value }: StoredMembership): MemberRecord {
  return { username: value.username, role: value.role, since: value.since };
}

/** What is told about a robot. */
export function presentRobot({ id, value }: StoredRobot): RobotRecord {
  return {
    id,
    username: value.username,
    displayName: value.displayName,
    organisation: value.organisation,
    role: value.role,
    disabled: value.disabled,
    createdAt: value.createdAt,
  };
}

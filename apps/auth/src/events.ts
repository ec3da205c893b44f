import type { AuditEvent, Caller } from '#libs/audit';
import type { AuditState, RequestOrigin } from '#libs/contract';
import type { Robot, User } from './accounts.store.js';
import type { Membership } from './memberships.store.js';
import type { Organisation } from './organisations.store.js';
import type { SigningKeyChange } from './signing-keys.js';
import type { StoredToken } from './tokens.store.js';

/** What the audit trail of auth says. `actor` is null for what the service does by itself. */

/** @param username null when there is no such account: what was typed may be anything, a password too */
export function passwordRefused(username: string | null, reason: string, from: RequestOrigin): AuditEvent {
  const subject = { kind: 'account', name: username ?? '-' } as const;
  return { action: 'password.check', outcome: 'refused', actor: null, from, subject, reason };
}

export function passwordTaken(actor: Caller): AuditEvent {
  return { action: 'password.check', actor, subject: { kind: 'account', name: actor.username } };
}

export function sessionOpened(actor: Caller): AuditEvent {
  return { action: 'session.open', actor, subject: { kind: 'account', name: actor.username } };
}

export function sessionClosed(actor: Caller): AuditEvent {
  return { action: 'session.close', actor, subject: { kind: 'account', name: actor.username } };
}

/** A sign-in made room for itself. */
export function sessionDisplaced(actor: Caller): AuditEvent {
  return { ...sessionClosed(actor), reason: 'too_many_sessions' };
}

/** @param expiresAt Unix milliseconds; the entry itself comes when the session is removed */
export function sessionExpired(username: string, expiresAt: number): AuditEvent {
  return {
    action: 'session.close',
    actor: null,
    subject: { kind: 'account', name: username },
    before: { expiresAt: new Date(expiresAt).toISOString() },
    reason: 'session_expired',
  };
}

export function accountCreated(actor: Caller | null, user: User): AuditEvent {
  const subject = { kind: 'account', name: user.username } as const;
  return { action: 'account.create', actor, subject, after: userState(user) };
}

export function accountChanged(actor: Caller, before: User, after: User): AuditEvent {
  const subject = { kind: 'account', name: before.username } as const;
  return { action: 'account.change', actor, subject, before: userState(before), after: userState(after) };
}

/** @param tokens how many ended with it */
export function passwordChanged(actor: Caller, username: string, tokens: number): AuditEvent {
  return {
    action: 'password.change',
    actor,
    subject: { kind: 'account', name: username },
    after: { tokens },
  };
}

export function organisationCreated(actor: Caller | null, value: Organisation, owner: string): AuditEvent {
  const after = { ...organisationState(value), username: owner, role: 'owner' } as const;
  return { action: 'organisation.create', actor, subject: { kind: 'organisation', name: value.name }, after };
}

export function organisationChanged(actor: Caller, before: Organisation, after: Organisation): AuditEvent {
  return {
    action: 'organisation.change',
    actor,
    subject: { kind: 'organisation', name: before.name },
    before: organisationState(before),
    after: organisationState(after),
  };
}

/** @param role undefined: no member any more */
export function memberChanged(
  actor: Caller,
  { organisation, username }: Pick<Membership, 'organisation' | 'username'>,
  before: Membership['role'] | undefined,
  after: Membership['role'] | undefined,
): AuditEvent {
  return {
    action: after === undefined ? 'member.remove' : 'member.set',
    actor,
    subject: { kind: 'member', name: `${organisation}/${username}` },
    ...(before === undefined ? {} : { before: { role: before } }),
    ...(after === undefined ? {} : { after: { role: after } }),
  };
}

export function robotCreated(actor: Caller, robot: Robot): AuditEvent {
  const subject = { kind: 'robot', name: robot.username } as const;
  return { action: 'robot.create', actor, subject, after: robotState(robot) };
}

export function robotChanged(actor: Caller, before: Robot, after: Robot): AuditEvent {
  const subject = { kind: 'robot', name: before.username } as const;
  return { action: 'robot.change', actor, subject, before: robotState(before), after: robotState(after) };
}

export function tokenCreated(actor: Caller | null, token: Pick<StoredToken, 'id' | 'value'>): AuditEvent {
  const { username, name, scopes, expiresAt } = token.value;
  return {
    action: 'token.create',
    actor,
    subject: { kind: 'token', name: token.id },
    after: { username, name, scopes, expiresAt },
  };
}

export function tokenRevoked(actor: Caller | null, token: Pick<StoredToken, 'id' | 'value'>): AuditEvent {
  const { username, name } = token.value;
  return {
    action: 'token.revoke',
    actor,
    subject: { kind: 'token', name: token.id },
    before: { username, name },
  };
}

/** A service got a token with fewer rights from the token of `actor`. */
export function tokenExchanged(actor: Caller, service: string, id: string, after: AuditState): AuditEvent {
  return {
    action: 'token.exchange',
    actor: { ...actor, via: service },
    subject: { kind: 'token', name: id },
    after,
  };
}

/** @param service the one that asked; undefined when it did not prove which one it is */
export function exchangeRefused(actor: Caller, service: string | undefined, reason: string): AuditEvent {
  return {
    action: 'token.exchange',
    outcome: 'refused',
    actor: { ...actor, via: service ?? actor.via },
    subject: { kind: 'token', name: actor.tokenId },
    reason,
  };
}

/** A key that signs tokens has appeared in its folder, or gone from it. */
export function signingKeyChanged({ action, kid, by }: SigningKeyChange): AuditEvent {
  return { action, actor: by, subject: { kind: 'signing-key', name: kid } };
}

function userState({ displayName, email, administrator, disabled }: User): AuditState {
  return { name: displayName, ...(email === '' ? {} : { email }), administrator, disabled };
}

function robotState({ displayName, role, disabled }: Robot): AuditState {
  return { name: displayName, role, disabled };
}

function organisationState({ displayName, disabled }: Organisation): AuditState {
  return { name: displayName, disabled };
}

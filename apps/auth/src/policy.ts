import {
  type Actor,
  type ChangeOrganisationRequest,
  type ChangeUserRequest,
  type ExchangeRequest,
  hasScope,
  type OrganisationRole,
  parseRobotUsername,
  parseScope,
  type ScopeName,
  scopeCovers,
  type ServiceName,
} from '#libs/contract';
import { DomainError, type ErrorCode } from '#libs/core';
import { PASSWORD_PROOF } from '#libs/server';

/** What was decided, and why not. */
export type Decision =
  | { readonly allowed: true }
  | {
      readonly allowed: false;
      readonly code: ErrorCode;
      readonly reason: string;
      readonly message: string;
    };

const YES: Decision = { allowed: true };

function no(code: ErrorCode, reason: string, message: string): Decision {
  return { allowed: false, code, reason, message };
}

/** Turns a refusal into the error that the caller gets. @throws DomainError unless allowed */
export function enforce(decision: Decision): void {
  if (!decision.allowed) throw new DomainError(decision.code, decision.message, { reason: decision.reason });
}

function scopeMissing(name: ScopeName): Decision {
  return no('forbidden', 'scope_missing', `The token lacks the scope ${name}`);
}

/** For what would let a stolen token last, or spread: no scope allows it, whoever owns the account has to sign in. */
function needsPassword(actor: Actor): Decision {
  if (actor.tokenId === PASSWORD_PROOF) return YES;
  return no('forbidden', 'password_needed', 'This needs your user name and password, not a token');
}

/** The role of the actor in an organisation, as the feed says; undefined: none, or none of that name. */
export function roleIn(actor: Actor, organisation: string | undefined): OrganisationRole | undefined {
  if (organisation === undefined || !Object.hasOwn(actor.organisations, organisation)) return undefined;
  return actor.organisations[organisation];
}

/** The account that a token is for. */
export interface TokenOwner {
  readonly id: string;
  readonly administrator: boolean;
  /** Of a robot. */
  readonly organisation: string | undefined;
}

function owns(actor: Actor, { id, organisation }: TokenOwner): boolean {
  return actor.accountId === id || roleIn(actor, organisation) === 'owner';
}

/** A stolen token must not be able to make itself last: more tokens need the password, or an administrator. */
function mayManageTokensOf(actor: Actor, owner: TokenOwner): Decision {
  if (hasScope(actor, 'admin')) return YES;
  if (owns(actor, owner)) return needsPassword(actor);
  return no('forbidden', 'not_yours', 'Only an administrator manages the tokens of others');
}

/** Who may make a token with these scopes for an account: its own user, owners of a robot's organisation, administrators. */
export function mayCreateToken(actor: Actor, owner: TokenOwner, scopes: readonly string[]): Decision {
  const manage = mayManageTokensOf(actor, owner);
  if (!manage.allowed) return manage;
  if (!owner.administrator && scopes.some((scope) => parseScope(scope)?.name === 'admin'))
    return no('forbidden', 'scope_not_grantable', 'Only tokens of administrators can have the scope admin');
  return YES;
}

/**
 * Whether a name may be looked up for its tokens: the own one, those that robots of the own organisations could have, all for
 * administrators. The answer does not tell who has an account.
 */
export function mayAskForTokensOf(actor: Actor, username: string): Decision {
  const robotOf = parseRobotUsername(username)?.organisation;
  if (actor.username === username || hasScope(actor, 'admin') || roleIn(actor, robotOf) === 'owner')
    return YES;
  return no('forbidden', 'not_yours', 'Only an administrator sees the tokens of others');
}

/** Everybody sees the list of the own tokens, whatever the token may do. */
export function mayListTokens(actor: Actor, owner: TokenOwner): Decision {
  if (owns(actor, owner) || hasScope(actor, 'admin')) return YES;
  return no('forbidden', 'not_yours', 'Only an administrator sees the tokens of others');
}

/** A token may always end itself. What is not the caller's looks as if it were not there. */
export function mayRevokeToken(
  actor: Actor,
  token: { readonly id: string; readonly owner: TokenOwner },
): Decision {
  if (actor.tokenId === token.id) return YES;
  const manage = mayManageTokensOf(actor, token.owner);
  if (manage.allowed || owns(actor, token.owner)) return manage;
  return no('not_found', 'token_not_found', 'There is no such token');
}

/** Everybody sees the own account; what is not there and what is not the caller's look the same. */
export function maySeeUser(actor: Actor, username: string): Decision {
  if (actor.username === username || hasScope(actor, 'admin')) return YES;
  return no('not_found', 'user_not_found', 'There is no such user');
}

/**
 * Who may change what of an account. Rank and state are for administrators, and nobody takes them from the own account, so there
 * is always an administrator left.
 */
export function mayChangeUser(actor: Actor, username: string, change: ChangeUserRequest): Decision {
  const see = maySeeUser(actor, username);
  if (!see.allowed) return see;
  const admin = hasScope(actor, 'admin');
  if (!admin && (change.administrator !== undefined || change.disabled !== undefined))
    return scopeMissing('admin');
  // The keystore takes it for the account's: nobody may say that the address of somebody else is the own one. Taking it away is fine.
  if (!admin && change.email !== undefined && change.email !== '')
    return no('forbidden', 'email_by_administrator', 'Only administrators give an account an e-mail address');
  if (actor.username === username && change.disabled === true)
    return no('unprocessable', 'own_account', 'You cannot disable the account that you use');
  if (actor.username === username && change.administrator === false)
    return no('unprocessable', 'own_account', 'You cannot take the rank from the account that you use');
  return admin ? YES : needsPassword(actor);
}

/** A new password needs the old one, or an administrator. */
export function mayChangePassword(actor: Actor, username: string): Decision {
  const see = maySeeUser(actor, username);
  if (!see.allowed || hasScope(actor, 'admin')) return see;
  return needsPassword(actor);
}

/** Administrators see all organisations, everybody else the own ones. */
export function mayListOrganisations(actor: Actor): Decision {
  return hasScope(actor, 'admin') ? YES : scopeMissing('admin');
}

/** Members see their organisation; for everybody else there is none of that name, or of any other. */
export function maySeeOrganisation(actor: Actor, name: string): Decision {
  if (roleIn(actor, name) !== undefined || hasScope(actor, 'admin')) return YES;
  return no('not_found', 'organisation_not_found', 'There is no such organisation');
}

/** Owners see the robots of their organisation. */
export function maySeeRobots(actor: Actor, name: string): Decision {
  const see = maySeeOrganisation(actor, name);
  if (!see.allowed || roleIn(actor, name) === 'owner' || hasScope(actor, 'admin')) return see;
  return no('forbidden', 'owner_needed', `This is for owners of ${name}`);
}

/** Owners manage members and robots. */
export function mayManageOrganisation(actor: Actor, name: string): Decision {
  const see = maySeeRobots(actor, name);
  if (!see.allowed || hasScope(actor, 'admin')) return see;
  return needsPassword(actor);
}

/** Owners say what their organisation is called; whether it is disabled is for administrators. */
export function mayChangeOrganisation(
  actor: Actor,
  name: string,
  change: ChangeOrganisationRequest,
): Decision {
  const see = maySeeOrganisation(actor, name);
  if (see.allowed && change.disabled !== undefined && !hasScope(actor, 'admin')) return scopeMissing('admin');
  return mayManageOrganisation(actor, name);
}

/** Owners remove members, and everybody may leave. */
export function mayRemoveMember(actor: Actor, name: string, username: string): Decision {
  const see = maySeeOrganisation(actor, name);
  if (see.allowed && actor.kind === 'user' && actor.username === username && !hasScope(actor, 'admin'))
    return needsPassword(actor);
  return mayManageOrganisation(actor, name);
}

type ExchangeAudience = ExchangeRequest['audience'];

/** Which services may exchange tokens, for which other service, with which scopes. Everything else is refused. */
export const EXCHANGE_RIGHTS: Readonly<
  Partial<Record<ServiceName, Readonly<Partial<Record<ExchangeAudience, readonly ScopeName[]>>>>>
> = {
  // A build reads base images and pushes its result, and looks up keys of their signers, for which being one is enough; the worker that
  // runs it reports back.
  builder: { library: ['library:read', 'library:write'], keystore: ['build'], builder: ['build'] },
};

/** Writing is always narrowed to the container of the job, whatever was asked for. */
function narrow(scope: string, container: string): string {
  return parseScope(scope)?.name === 'library:write' ? `library:write:${container}` : scope;
}

/**
 * What `service` gets for the actor's token: the scopes of the new one, each covered by one that the actor's token has.
 */
export function decideExchange(
  service: ServiceName,
  actor: Actor,
  request: Pick<ExchangeRequest, 'audience' | 'scope' | 'container'>,
): Decision & { readonly scopes?: readonly string[] } {
  if (actor.via !== undefined || actor.originTokenId !== actor.tokenId)
    return no('forbidden', 'already_exchanged', 'An exchanged token cannot be exchanged again');
  const rights = EXCHANGE_RIGHTS[service]?.[request.audience];
  if (rights === undefined)
    return no(
      'forbidden',
      'exchange_not_allowed',
      `${service} may not exchange tokens for ${request.audience}`,
    );
  for (const scope of request.scope) {
    const name = parseScope(scope)?.name;
    if (name === undefined || !rights.includes(name))
      return no('forbidden', 'exchange_not_allowed', `${service} may not ask for ${scope}`);
  }
  // Narrowed after the question whether it was allowed: a job for one place must not be asked for at another.
  const elsewhere = request.scope.find((scope) => !scopeCovers(scope, narrow(scope, request.container)));
  if (elsewhere !== undefined)
    return no('forbidden', 'wrong_subject', `${elsewhere} is not about ${request.container}`);
  const scopes = request.scope.map((scope) => narrow(scope, request.container));
  const missing = scopes.find((scope) => !actor.scopes.some((held) => scopeCovers(held, scope)));
  if (missing !== undefined) return no('forbidden', 'scope_missing', `The token does not allow ${missing}`);
  return { allowed: true, scopes };
}

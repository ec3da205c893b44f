import {
  type Actor,
  type ExchangeRequest,
  hasScope,
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

interface AccountRights {
  readonly id: string;
  readonly administrator: boolean;
}

/** A stolen token must not be able to make itself last: more tokens need the password, or an administrator. */
function mayManageTokensOf(actor: Actor, accountId: string): Decision {
  if (hasScope(actor, 'admin')) return YES;
  if (actor.accountId !== accountId)
    return no('forbidden', 'not_yours', 'Only an administrator manages the tokens of others');
  if (actor.tokenId === PASSWORD_PROOF) return YES;
  return no('forbidden', 'password_needed', 'This needs your user name and password, not a token');
}

/** Who may make a token with these scopes for `account`. */
export function mayCreateToken(actor: Actor, account: AccountRights, scopes: readonly string[]): Decision {
  const manage = mayManageTokensOf(actor, account.id);
  if (!manage.allowed) return manage;
  if (!account.administrator && scopes.some((scope) => parseScope(scope)?.name === 'admin'))
    return no('forbidden', 'scope_not_grantable', 'Only tokens of administrators can have the scope admin');
  return YES;
}

/** Everybody sees the list of the own tokens, whatever the token may do. The answer does not tell who has an account. */
export function mayListTokens(actor: Actor, username: string): Decision {
  if (actor.username === username || hasScope(actor, 'admin')) return YES;
  return no('forbidden', 'not_yours', 'Only an administrator sees the tokens of others');
}

/** A token may always end itself. What is not the caller's looks as if it were not there. */
export function mayRevokeToken(
  actor: Actor,
  token: { readonly id: string; readonly accountId: string },
): Decision {
  if (actor.tokenId === token.id) return YES;
  const manage = mayManageTokensOf(actor, token.accountId);
  if (manage.allowed || actor.accountId === token.accountId) return manage;
  return no('not_found', 'token_not_found', 'There is no such token');
}

/** Everybody sees the own account; what is not there and what is not the caller's look the same. */
export function maySeeUser(actor: Actor, username: string): Decision {
  if (actor.username === username || hasScope(actor, 'admin')) return YES;
  return no('not_found', 'user_not_found', 'There is no such user');
}

/** Nobody locks the own account, so there is always an administrator left. */
export function mayDisable(actor: Actor, accountId: string): Decision {
  if (!hasScope(actor, 'admin')) return no('forbidden', 'scope_missing', 'The token lacks the scope admin');
  if (actor.accountId === accountId)
    return no('unprocessable', 'own_account', 'You cannot disable the account that you use');
  return YES;
}

type ExchangeAudience = ExchangeRequest['audience'];

/** Which services may exchange tokens, for which other service, with which scopes. Everything else is refused. */
export const EXCHANGE_RIGHTS: Readonly<
  Partial<Record<ServiceName, Readonly<Partial<Record<ExchangeAudience, readonly ScopeName[]>>>>>
> = {
  // A build reads base images and pushes its result; the worker that runs it reports back.
  builder: { library: ['library:read', 'library:write'], builder: ['build'] },
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

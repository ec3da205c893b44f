import { Inject, Injectable } from '@nestjs/common';
import { Trail } from '#libs/audit';
import { type Actor, ANY_SERVICE, type CreateTokenRequest, type TokenClaims } from '#libs/contract';
import { type Clock, DomainError, newObjectId } from '#libs/core';
import { CLOCK } from '#libs/server';
import { AccountsStore, NOBODY, type StoredAccount } from './accounts.store.js';
import { tokenCreated } from './events.js';
import { Issuer } from './issuer.js';
import { AUTH_LIMITS } from './limits.js';
import {
  enforce,
  mayAskForTokensOf,
  mayCreateToken,
  mayListTokens,
  mayRevokeToken,
  type TokenOwner,
} from './policy.js';
import { RevocationsService } from './revocations.service.js';
import { RevocationsStore } from './revocations.store.js';
import { SignInService } from './sign-in.service.js';
import { type StoredToken, type TokenDocument, TokensStore } from './tokens.store.js';
import { Windows } from './windows.js';

interface Wanted {
  readonly name: string;
  readonly scopes: readonly string[];
  /** In seconds. */
  readonly lifetime: number;
}

/** The rules of the tokens that people get. */
@Injectable()
export class TokensService {
  readonly #made = new Windows(() => performance.now());

  constructor(
    private readonly tokens: TokensStore,
    private readonly accounts: AccountsStore,
    private readonly issuer: Issuer,
    private readonly commits: RevocationsStore,
    private readonly signIns: SignInService,
    private readonly revocations: RevocationsService,
    private readonly trail: Trail,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /**
   * Makes a token for the actor, or for `request.username`. The token itself is told here and never again.
   * @throws DomainError `forbidden`, `not_found`, `unprocessable`, `too_many_requests`; `unauthorized` when the password was changed meanwhile
   */
  async create(
    actor: Actor,
    request: CreateTokenRequest,
  ): Promise<{ readonly stored: StoredToken; readonly token: string }> {
    const target = await this.accountOf(actor, request.username);
    enforce(mayCreateToken(actor, ownerOf(target), request.scopes));
    const accountId = target.id;
    this.#made.take([[accountId, AUTH_LIMITS.newTokensPerAccount]], tooManyNew);
    const id = newObjectId();
    let made: { readonly stored: StoredToken; readonly token: string } | undefined;
    await this.commits.commit(async () => {
      const account = await this.accounts.get(accountId);
      if (account === undefined) throw noUser();
      enforce(mayCreateToken(actor, ownerOf(account), request.scopes));
      const guards = await this.signIns.guards(actor, account.id);
      if (account.value.disabled)
        throw new DomainError('unprocessable', `The account ${account.value.username} is disabled`, {
          reason: 'account_disabled',
        });
      await this.requireRoom(account.id);
      const value = this.prepare(account, request);
      const token = await this.sign(account, { id, value });
      made = { stored: { id, revision: 1, value }, token };
      return {
        announcements: [],
        // A change of the password that ends all tokens must not miss this one.
        writes: [
          this.tokens.creation(id, value),
          this.accounts.unchanged(account),
          ...guards,
          this.trail.write(tokenCreated(actor, { id, value })),
        ],
      };
    });
    if (made === undefined) throw new Error('A token was stored and not made');
    return made;
  }

  /** The document of a new token; nothing is stored. */
  prepare(account: Pick<StoredAccount, 'id' | 'value'>, { name, scopes, lifetime }: Wanted): TokenDocument {
    const now = this.clock.now();
    // A whole second, as in the token's claims: the record and the token end at the same time.
    const expires = Math.floor(now.getTime() / 1000) + lifetime;
    return {
      accountId: account.id,
      username: account.value.username,
      name,
      scopes: [...new Set(scopes)],
      createdAt: now.toISOString(),
      expiresAt: new Date(expires * 1000).toISOString(),
      validUntil: new Date(expires * 1000).toISOString(),
    };
  }

  /** The token of a stored record. What it says beyond the record is the account's present state. */
  sign(
    account: Pick<StoredAccount, 'id' | 'value'>,
    { id, value }: Pick<StoredToken, 'id' | 'value'>,
  ): Promise<string> {
    return this.issuer.accessToken({
      ...accountClaims(account),
      aud: ANY_SERVICE,
      jti: id,
      iat: Math.floor(Date.parse(value.createdAt) / 1000),
      exp: Date.parse(value.expiresAt) / 1000,
      scope: value.scopes.join(' '),
    });
  }

  /** Newest first. */
  async list(
    actor: Actor,
    options: {
      readonly limit: number;
      readonly cursor?: string | undefined;
      readonly username?: string | undefined;
    },
  ) {
    const account = await this.accountOf(actor, options.username);
    enforce(mayListTokens(actor, ownerOf(account)));
    return this.tokens.list(account.id, options);
  }

  /** Ends a token now and everywhere. Whoever may not gets the answer for a token that does not exist. */
  async revoke(actor: Actor, id: string): Promise<StoredToken> {
    const token = await this.tokens.get(id);
    // Also for a token that is not there: it takes as long as one of somebody else.
    const account = await this.accounts.get(token?.value.accountId ?? NOBODY);
    if (token === undefined || account === undefined)
      throw new DomainError('not_found', 'There is no such token', { reason: 'token_not_found' });
    enforce(mayRevokeToken(actor, { id, owner: ownerOf(account) }));
    return this.revocations.revokeToken(actor, id);
  }

  /** The actor's own account, or the one of that name. */
  private async accountOf(actor: Actor, username: string | undefined): Promise<StoredAccount> {
    const own = username === undefined || username === actor.username;
    // Decided before the name is looked up: who may not ask does not learn who has an account.
    if (!own) enforce(mayAskForTokensOf(actor, username));
    const account = own ? await this.accounts.get(actor.accountId) : await this.accounts.find(username);
    // An owner of an organisation learns about its robots, and not who else has such a name.
    if (account === undefined || !mayListTokens(actor, ownerOf(account)).allowed) throw noUser();
    return account;
  }

  private async requireRoom(accountId: string): Promise<void> {
    const most = AUTH_LIMITS.tokensPerAccount;
    const now = this.clock.now().toISOString();
    if ((await this.tokens.valid(accountId, now, most)).length < most) return;
    throw new DomainError('conflict', `Expected at most ${most} valid tokens of one account`, {
      reason: 'too_many_tokens',
      remedy: 'Revoke those that nobody needs',
    });
  }
}

/** What a token says about its account. */
export function accountClaims({
  id,
  value,
}: Pick<StoredAccount, 'id' | 'value'>): Pick<
  TokenClaims,
  'sub' | 'username' | 'email' | 'name' | 'administrator' | 'kind' | 'rolesKey'
> {
  return {
    sub: id,
    username: value.username,
    email: value.email,
    name: value.displayName,
    administrator: value.administrator,
    kind: value.kind,
    rolesKey: value.rolesKey,
  };
}

/** What the rules of tokens need to know of the account that a token is for. */
function ownerOf({ id, value }: StoredAccount): TokenOwner {
  const { administrator } = value;
  return { id, administrator, organisation: value.kind === 'robot' ? value.organisation : undefined };
}

function tooManyNew(seconds: number): DomainError {
  return new DomainError('too_many_requests', `Too many new tokens: try again in ${seconds} seconds`, {
    reason: 'too_many_new_tokens',
    retryAfter: seconds,
  });
}

function noUser(): DomainError {
  return new DomainError('not_found', 'There is no such user', { reason: 'user_not_found' });
}

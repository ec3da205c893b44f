import { Inject, Injectable } from '@nestjs/common';
import { type Actor, ANY_SERVICE, type CreateTokenRequest, type TokenClaims } from '#libs/contract';
import { type Clock, DomainError, newObjectId } from '#libs/core';
import { CLOCK } from '#libs/server';
import { AccountsService } from './accounts.service.js';
import type { StoredAccount } from './accounts.store.js';
import { Issuer } from './issuer.js';
import { AUTH_LIMITS } from './limits.js';
import { enforce, mayCreateToken, mayListTokens, mayRevokeToken } from './policy.js';
import { RevocationsService } from './revocations.service.js';
import { type StoredToken, type TokenDocument, TokensStore } from './tokens.store.js';

interface Wanted {
  readonly name: string;
  readonly scopes: readonly string[];
  /** In seconds. */
  readonly lifetime: number;
}

/** The rules of the tokens that people get. */
@Injectable()
export class TokensService {
  constructor(
    private readonly tokens: TokensStore,
    private readonly accounts: AccountsService,
    private readonly issuer: Issuer,
    private readonly revocations: RevocationsService,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /** Makes a token for the actor, or for `request.username`. The token itself is told here and never again. */
  async create(
    actor: Actor,
    request: CreateTokenRequest,
  ): Promise<{ readonly stored: StoredToken; readonly token: string }> {
    const account = await this.accountFor(actor, request.username);
    enforce(
      mayCreateToken(actor, { id: account.id, administrator: account.value.administrator }, request.scopes),
    );
    if (account.value.disabled)
      throw new DomainError('unprocessable', `The account ${account.value.username} is disabled`, {
        reason: 'account_disabled',
      });
    await this.requireRoom(account.id);
    const id = newObjectId();
    const document = this.prepare(account, request);
    const token = await this.sign(account, { id, value: document });
    await this.tokens.insert(id, document);
    return { stored: { id, revision: 1, value: document }, token };
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
    const username = options.username ?? actor.username;
    enforce(mayListTokens(actor, username));
    const accountId =
      username === actor.username ? actor.accountId : (await this.accounts.byName(username)).id;
    return this.tokens.list(accountId, options);
  }

  /** Ends a token now and everywhere. Whoever may not gets the answer for a token that does not exist. */
  async revoke(actor: Actor, id: string): Promise<StoredToken> {
    const token = await this.tokens.get(id);
    if (token === undefined)
      throw new DomainError('not_found', 'There is no such token', { reason: 'token_not_found' });
    enforce(mayRevokeToken(actor, { id, accountId: token.value.accountId }));
    return this.revocations.revokeToken(id);
  }

  private async accountFor(actor: Actor, username: string | undefined): Promise<StoredAccount> {
    if (username === undefined || username === actor.username) return this.accounts.get(actor.accountId);
    // Decided before the name is looked up: who may not do it does not learn who has an account.
    enforce(mayListTokens(actor, username));
    return this.accounts.byName(username);
  }

  private async requireRoom(accountId: string): Promise<void> {
    const most = AUTH_LIMITS.tokensPerAccount;
    const now = this.clock.now().toISOString();
    if ((await this.tokens.countUnexpired(accountId, now, most)) < most) return;
    throw new DomainError('conflict', `Expected at most ${most} tokens that have not expired`, {
      reason: 'too_many_tokens',
    });
  }
}

/** What a token says about its account. */
export function accountClaims({
  id,
  value,
}: Pick<StoredAccount, 'id' | 'value'>): Pick<
  TokenClaims,
  'sub' | 'username' | 'email' | 'name' | 'administrator' | 'organisations'
> {
  return {
    sub: id,
    username: value.username,
    email: value.email,
    name: value.displayName,
    administrator: value.administrator,
    organisations: {},
  };
}

import { Inject, Injectable } from '@nestjs/common';
import { MAXIMUM_FEED_ENTRIES, type RevocationFeed, TOKEN_LIMITS } from '#libs/contract';
import { type Clock, DomainError } from '#libs/core';
import { CLOCK, TokenVerifier } from '#libs/server';
import { AccountsStore, type StoredAccount } from './accounts.store.js';
import { Issuer } from './issuer.js';
import { RevocationsStore } from './revocations.store.js';
import { type StoredToken, TokensStore } from './tokens.store.js';

/** Ends tokens and changes what accounts may do, and tells every service: each change is one commit with its feed entry. */
@Injectable()
export class RevocationsService {
  constructor(
    private readonly revocations: RevocationsStore,
    private readonly tokens: TokensStore,
    private readonly accounts: AccountsStore,
    private readonly issuer: Issuer,
    private readonly verifier: TokenVerifier,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /** Ends a token and whatever was exchanged from it. Ending it twice is ending it once. Effective here when this resolves. */
  async revokeToken(id: string): Promise<StoredToken> {
    await this.revocations.append(async () => {
      const token = await this.token(id);
      if (token.value.revokedAt !== undefined) return undefined;
      const expires = Math.ceil(Date.parse(token.value.expiresAt) / 1000);
      return {
        // What was exchanged just before the token expired lives on for at most this long.
        entry: { kind: 'token', id, until: expires + TOKEN_LIMITS.exchangedLifetimeMaximum },
        writes: [this.tokens.revocation(token, this.clock.now().toISOString())],
      };
    });
    await this.verifier.refreshAfterChange();
    return this.token(id);
  }

  /** Disables an account or enables it again. All its tokens, and what was exchanged from them, follow. */
  async setDisabled(accountId: string, disabled: boolean): Promise<StoredAccount> {
    await this.revocations.append(async () => {
      const account = await this.account(accountId);
      if (account.value.disabled === disabled) return undefined;
      const { administrator } = account.value;
      return {
        entry: { kind: 'account', id: accountId, disabled, administrator },
        writes: [this.accounts.change(account, { ...account.value, disabled })],
      };
    });
    await this.verifier.refreshAfterChange();
    return this.account(accountId);
  }

  /** One page of the feed. */
  async feed(after: number): Promise<RevocationFeed> {
    const { head, entries } = await this.revocations.after(after, MAXIMUM_FEED_ENTRIES);
    const { name, keyIds } = this.issuer;
    return { iss: name, time: this.clock.now().getTime(), after, head, keys: keyIds, entries };
  }

  async signedFeed(after: number): Promise<string> {
    return this.issuer.signFeed(await this.feed(after));
  }

  private async token(id: string): Promise<StoredToken> {
    const found = await this.tokens.get(id);
    if (found === undefined)
      throw new DomainError('not_found', 'There is no such token', { reason: 'token_not_found' });
    return found;
  }

  private async account(id: string): Promise<StoredAccount> {
    const found = await this.accounts.get(id);
    if (found === undefined)
      throw new DomainError('not_found', 'There is no such user', { reason: 'user_not_found' });
    return found;
  }
}

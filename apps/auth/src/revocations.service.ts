import { Inject, Injectable } from '@nestjs/common';
import { type Caller, Trail } from '#libs/audit';
import { MAXIMUM_FEED_ENTRIES, type RevocationFeed, TOKEN_LIMITS } from '#libs/contract';
import { type Clock, DomainError } from '#libs/core';
import { CLOCK, TokenVerifier } from '#libs/server';
import type { Write } from './database.store.js';
import { tokenRevoked } from './events.js';
import { Issuer } from './issuer.js';
import { AUTH_LIMITS } from './limits.js';
import { type Change, RevocationsStore } from './revocations.store.js';
import { type StoredToken, TokensStore } from './tokens.store.js';

/** Ends tokens, and tells every service: each change is one commit with its feed entries. */
@Injectable()
export class RevocationsService {
  constructor(
    private readonly revocations: RevocationsStore,
    private readonly tokens: TokensStore,
    private readonly issuer: Issuer,
    private readonly trail: Trail,
    private readonly verifier: TokenVerifier,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /** Ends a token and whatever was exchanged from it. Ending it twice is ending it once. Effective here when this resolves. */
  async revokeToken(actor: Caller | null, id: string): Promise<StoredToken> {
    await this.revocations.commit(async () => {
      const token = await this.token(id);
      if (token.value.revokedAt !== undefined) return undefined;
      const { writes, announcements } = this.ending([token]);
      return { writes: [...writes, this.trail.write(tokenRevoked(actor, token))], announcements };
    });
    await this.verifier.refreshAfterChange();
    return this.token(id);
  }

  /**
   * Ends all tokens of an account, one feed entry each. Effective here when this resolves.
   * @param entry what the audit trail says of as many
   */
  async revokeTokensOf(accountId: string, entry: (tokens: number) => Write): Promise<void> {
    let ended: number;
    do ended = await this.endSome(accountId, entry);
    while (ended > 0);
    await this.verifier.refreshAfterChange();
  }

  /** What a commit has to contain to end the tokens of an account, as many as fit into one: none of them may be left unseen. */
  async endingTokens(accountId: string): Promise<Change> {
    // What was exchanged from a token may live when the token itself has expired.
    const since = this.clock.now().getTime() - TOKEN_LIMITS.exchangedLifetimeMaximum * 1000;
    return this.ending(
      await this.tokens.valid(accountId, new Date(since).toISOString(), AUTH_LIMITS.tokensPerAccount),
    );
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

  private async endSome(accountId: string, entry: (tokens: number) => Write): Promise<number> {
    let ended = 0;
    await this.revocations.commit(async () => {
      const { writes, announcements } = await this.endingTokens(accountId);
      ended = writes.length;
      return ended === 0 ? undefined : { writes: [...writes, entry(ended)], announcements };
    });
    return ended;
  }

  private async token(id: string): Promise<StoredToken> {
    const found = await this.tokens.get(id);
    if (found === undefined)
      throw new DomainError('not_found', 'There is no such token', { reason: 'token_not_found' });
    return found;
  }

  private ending(tokens: readonly StoredToken[]): Change {
    const now = this.clock.now().toISOString();
    return {
      writes: tokens.map((token) => this.tokens.revocation(token, now)),
      announcements: tokens.map(({ id, value }) => ({
        entry: {
          kind: 'token',
          id,
          // What was exchanged just before the token expired lives on for at most this long.
          until: Math.ceil(Date.parse(value.expiresAt) / 1000) + TOKEN_LIMITS.exchangedLifetimeMaximum,
        },
      })),
    };
  }
}

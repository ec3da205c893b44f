import { Injectable } from '@nestjs/common';
import type { Caller } from '#libs/audit';
import { TOKEN_LENGTH, TokenClaims, type Jwks, type RetiredKeys, type RevocationFeed } from '#libs/contract';
import { DomainError } from '#libs/core';
import type { SigningKeys } from './signing-keys.js';

interface Identity {
  readonly name: string;
  readonly keys: SigningKeys;
}

/** Signs as this instance. Opened once at the start, before the port opens. */
@Injectable()
export class Issuer {
  #identity: Identity | undefined;

  /** @param name the instance's name, which tokens carry as their issuer */
  open(name: string, keys: SigningKeys): void {
    this.#identity = { name, keys };
  }

  get name(): string {
    return this.#opened().name;
  }

  get keyIds(): string[] {
    return this.#opened().keys.published.map((key) => key.kid);
  }

  jwks(): Jwks {
    const { name, keys } = this.#opened();
    return { issuer: name, keys: [...keys.published] };
  }

  /**
   * An access token.
   * @throws DomainError `unprocessable` when it would be longer than stock clients take
   */
  async accessToken(claims: Omit<TokenClaims, 'iss'>): Promise<string> {
    const { name, keys } = this.#opened();
    const token = await keys.sign('accessToken', TokenClaims.parse({ ...claims, iss: name }));
    if (token.length < TOKEN_LENGTH.minimum) throw new Error('A token came out too short');
    if (token.length > TOKEN_LENGTH.maximum)
      throw new DomainError(
        'unprocessable',
        'Expected fewer or shorter scopes: the token would be too long',
        {
          reason: 'token_too_long',
        },
      );
    return token;
  }

  /** Ends everything that was signed so far, as {@link SigningKeys.retireAll}. */
  retireKeys(by: Caller, told: () => Promise<void>): Promise<RetiredKeys> {
    return this.#opened().keys.retireAll(by, told);
  }

  signFeed(feed: RevocationFeed): Promise<string> {
    return this.#opened().keys.sign('revocations', feed);
  }

  #opened(): Identity {
    if (this.#identity === undefined) throw new Error('The issuer is used before the start is complete');
    return this.#identity;
  }
}

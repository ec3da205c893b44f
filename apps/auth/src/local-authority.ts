import type { Jwks, RevocationFeed } from '#libs/contract';
import type { TokenAuthority } from '#libs/server';
import type { Issuer } from './issuer.js';
import type { RevocationsService } from './revocations.service.js';

/** The auth service itself, for the services in its process: the same answers without the way over HTTPS. */
export class LocalAuthority implements TokenAuthority {
  readonly #issuer: Issuer;
  readonly #revocations: RevocationsService;

  constructor(issuer: Issuer, revocations: RevocationsService) {
    this.#issuer = issuer;
    this.#revocations = revocations;
  }

  async jwks(): Promise<Jwks> {
    return this.#issuer.jwks();
  }

  revocations(after: number): Promise<RevocationFeed> {
    return this.#revocations.feed(after);
  }
}

import type { Jwks, RevocationFeed } from '#libs/contract';
import type { NotedUse, TokenAuthority } from '#libs/server';
import type { Issuer } from './issuer.js';
import type { RevocationsService } from './revocations.service.js';
import type { UsesService } from './uses.service.js';

/** The auth service itself, for the services in its process: the same answers without the way over HTTPS. */
export class LocalAuthority implements TokenAuthority {
  readonly #issuer: Issuer;
  readonly #revocations: RevocationsService;
  readonly #uses: UsesService;

  constructor(issuer: Issuer, revocations: RevocationsService, uses: UsesService) {
    this.#uses = uses;
    this.#issuer = issuer;
    this.#revocations = revocations;
  }

  noteUse({ tokenId, address, client }: NotedUse): Promise<void> {
    return this.#uses.note(tokenId, { address, client });
  }

  async jwks(): Promise<Jwks> {
    return this.#issuer.jwks();
  }

  revocations(after: number): Promise<RevocationFeed> {
    return this.#revocations.feed(after);
  }
}

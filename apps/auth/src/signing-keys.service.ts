import { setTimeout as delay } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import type { Actor, RetiredKeys } from '#libs/contract';
import { TokenVerifier } from '#libs/server';
import { Issuer } from './issuer.js';
import { AUTH_LIMITS } from './limits.js';

/** What is done when a signing key has leaked. */
@Injectable()
export class SigningKeysService {
  constructor(
    private readonly issuer: Issuer,
    private readonly verifier: TokenVerifier,
  ) {}

  /**
   * Ends every token that there is, everywhere: a new key is made, and what the others signed is good no more. Effective here when this resolves,
   * at other services with their next look at the feed, at replicas with their next look at the folder.
   * @throws DomainError `unavailable` when the folder of keys cannot be changed
   */
  async retire(actor: Actor): Promise<RetiredKeys> {
    const result = await this.issuer.retireKeys(actor, () => delay(AUTH_LIMITS.signingKeyAnnounceMs));
    await this.verifier.refreshAfterChange();
    return result;
  }
}

import { Injectable } from '@nestjs/common';
import { DomainError } from '#libs/core';
import { ClientAssertions, proofAudience, TokenVerifier } from '#libs/server';

/**
 * Checks that a caller is a worker of this instance. Being one grants nothing but to ask for the ticket of a build whose id is known: the rights
 * are in the tokens that the submitter's token was exchanged for.
 */
@Injectable()
export class WorkerProof {
  constructor(
    private readonly assertions: ClientAssertions,
    private readonly verifier: TokenVerifier,
  ) {}

  /** @throws DomainError `unauthorized` for anything but a fresh proof of the worker's key */
  async check(assertion: string): Promise<void> {
    const audience = proofAudience(await this.verifier.issuer(), 'builder');
    const service = await this.assertions.serviceOf(assertion, audience);
    if (service === 'worker') return;
    throw new DomainError('unauthorized', 'Expected the proof of a worker of this instance', {
      reason: 'bad_worker_proof',
    });
  }
}

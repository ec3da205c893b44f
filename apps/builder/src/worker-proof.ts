import { readFile } from 'node:fs/promises';
import { createLocalJWKSet, jwtVerify } from 'jose';
import { ScsConfig } from '#libs/config';
import { ServiceKeys, SIGNED_TYPES } from '#libs/contract';
import { type Clock, DomainError } from '#libs/core';
import { serviceKeysFile, TokenVerifier } from '#libs/server';

/** Proofs are good for a minute; those seen are remembered for longer. */
const REMEMBER_MS = 5 * 60 * 1000;
const REMEMBERED = 10_000;

/**
 * Checks that a caller is a worker of this instance (private_key_jwt, RFC 7523). Being one grants nothing but to ask for the ticket of a build
 * whose id is known: the rights are in the tokens that the submitter's token was exchanged for.
 */
export class WorkerProof {
  readonly #seen = new Map<string, number>();

  constructor(
    private readonly config: ScsConfig,
    private readonly verifier: TokenVerifier,
    private readonly clock: Clock,
  ) {}

  /** @throws DomainError `unauthorized` for anything but a fresh proof of the worker's key */
  async check(assertion: string): Promise<void> {
    try {
      const file = await readFile(serviceKeysFile(this.config.home, 'worker'), 'utf8');
      const keys = createLocalJWKSet(ServiceKeys.parse(JSON.parse(file)));
      const { payload } = await jwtVerify(assertion, keys, {
        algorithms: ['ES256'],
        typ: SIGNED_TYPES.clientAssertion,
        issuer: 'worker',
        subject: 'worker',
        audience: await this.verifier.issuer(),
        requiredClaims: ['jti', 'exp', 'iat'],
        maxTokenAge: '5m',
        currentDate: this.clock.now(),
      });
      this.#rememberOnce(String(payload.jti));
    } catch (cause) {
      throw new DomainError('unauthorized', 'Expected the proof of a worker of this instance', {
        reason: 'bad_worker_proof',
        cause,
      });
    }
  }

  #rememberOnce(id: string): void {
    const now = this.clock.now().getTime();
    for (const [known, at] of this.#seen)
      if (now - at > REMEMBER_MS || this.#seen.size > REMEMBERED) this.#seen.delete(known);
    if (this.#seen.has(id)) throw new Error('this proof was used before');
    this.#seen.set(id, now);
  }
}

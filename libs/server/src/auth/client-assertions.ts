import type { FactoryProvider } from '@nestjs/common';
import { decodeJwt, importJWK, jwtVerify } from 'jose';
import { ScsConfig } from '#libs/config';
import { ClientAssertion, ServiceName, SIGNED_TYPES, type SigningJwk } from '#libs/contract';
import { type Clock, DomainError } from '#libs/core';
import { CLOCK } from '../clock.js';
import { LOG, type Logger } from '../log.js';
import { ACCESS_LIMITS } from './limits.js';
import { ServiceKeysFolder } from './service-keys-folder.js';
import { type Documents, UsedAssertions } from './used-assertions.store.js';

/** Clocks of two machines may differ by this much, in seconds. */
const TOLERANCE = 30;

export interface AssertionOptions {
  readonly clock: Clock;
  /** The public key of a service by its id. */
  readonly find: (service: ServiceName, kid: string) => Promise<SigningJwk | undefined>;
  readonly used: Pick<UsedAssertions, 'use'>;
}

/** Checks which service asks (RFC 7523 §3): signed by that service's key, for whoever checks it, fresh, and used once. */
export class ClientAssertions {
  readonly #options: AssertionOptions;

  constructor(options: AssertionOptions) {
    this.#options = options;
  }

  /**
   * @param audience whom an assertion must be for: {@link proofAudience}
   * @throws DomainError `unauthorized` for whatever is wrong with it; `unavailable` when it is not known whether it was used before
   */
  async serviceOf(assertion: string, audience: string): Promise<ServiceName> {
    const now = this.#options.clock.now();
    const claims = await this.#checked(assertion, audience, now).catch((error: unknown) =>
      Promise.reject(notProven(error)),
    );
    const seconds = Math.floor(now.getTime() / 1000);
    // Clocks of two processes may differ by the tolerance, each in its own direction; who forgets too early is asked once more.
    const until = seconds + ACCESS_LIMITS.assertionSeconds + 4 * TOLERANCE;
    const first = await this.#options.used.use(`${claims.iss} ${claims.jti}`, { now: seconds, until });
    if (!first) throw notProven(new Error('The assertion was used before'));
    return claims.iss;
  }

  async #checked(assertion: string, audience: string, now: Date): Promise<ClientAssertion> {
    const claimed = ServiceName.parse(decodeJwt(assertion).iss);
    const { payload } = await jwtVerify(
      assertion,
      async (header) => {
        const key = header.kid === undefined ? undefined : await this.#options.find(claimed, header.kid);
        if (key === undefined) throw new Error(`No such key of ${claimed}`);
        return importJWK(key, 'ES256');
      },
      {
        algorithms: ['ES256'],
        typ: SIGNED_TYPES.clientAssertion,
        issuer: claimed,
        subject: claimed,
        audience,
        currentDate: now,
        clockTolerance: TOLERANCE,
        maxTokenAge: ACCESS_LIMITS.assertionSeconds,
      },
    );
    return ClientAssertion.parse(payload);
  }
}

function notProven(cause: unknown): DomainError {
  return new DomainError('unauthorized', 'The service did not prove which one it is', {
    reason: 'client_assertion_invalid',
    cause,
  });
}

/**
 * The provider of {@link ClientAssertions} for a service that other services prove themselves to.
 * @param database the injection token of its own database
 */
export function provideClientAssertions(database: symbol): FactoryProvider<ClientAssertions> {
  return {
    provide: ClientAssertions,
    inject: [database, ScsConfig, CLOCK, LOG],
    useFactory: (documents: Documents, { home }: ScsConfig, clock: Clock, log: Logger) => {
      const keys = new ServiceKeysFolder(home, {
        elapsed: () => performance.now(),
        warn: (message) => log.warn(message),
      });
      const used = new UsedAssertions(documents);
      return new ClientAssertions({ clock, find: (service, kid) => keys.find(service, kid), used });
    },
  };
}

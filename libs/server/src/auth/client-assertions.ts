import type { FactoryProvider } from '@nestjs/common';
import { decodeJwt, importJWK, jwtVerify } from 'jose';
import { ScsConfig } from '#libs/config';
import { ClientAssertion, ServiceName, SIGNED_TYPES, type SigningJwk } from '#libs/contract';
import { type Clock, DomainError } from '#libs/core';
import { CLOCK } from '../clock.js';
import { LOG, type Logger } from '../log.js';
import { ACCESS_LIMITS } from './limits.js';
import { ServiceKeysFolder } from './service-keys-folder.js';

/** Clocks of two machines may differ by this much, in seconds. */
const TOLERANCE = 30;

export interface AssertionOptions {
  readonly clock: Clock;
  /** The public key of a service by its id. */
  readonly find: (service: ServiceName, kid: string) => Promise<SigningJwk | undefined>;
}

/** Checks which service asks (RFC 7523 §3): signed by that service's key, for this instance, fresh, and used once. */
export class ClientAssertions {
  readonly #options: AssertionOptions;
  /** `jti` → Unix seconds after which it is refused for its age. */
  readonly #used = new Map<string, number>();

  constructor(options: AssertionOptions) {
    this.#options = options;
  }

  /**
   * @param issuer the name of this instance: the audience that an assertion must have
   * @throws DomainError `unauthorized` for whatever is wrong with it
   */
  async serviceOf(assertion: string, issuer: string): Promise<ServiceName> {
    const { clock, find } = this.#options;
    const now = clock.now();
    try {
      const claimed = ServiceName.parse(decodeJwt(assertion).iss);
      const { payload } = await jwtVerify(
        assertion,
        async (header) => {
          const key = header.kid === undefined ? undefined : await find(claimed, header.kid);
          if (key === undefined) throw new Error(`No such key of ${claimed}`);
          return importJWK(key, 'ES256');
        },
        {
          algorithms: ['ES256'],
          typ: SIGNED_TYPES.clientAssertion,
          issuer: claimed,
          subject: claimed,
          audience: issuer,
          currentDate: now,
          clockTolerance: TOLERANCE,
          maxTokenAge: ACCESS_LIMITS.assertionSeconds,
        },
      );
      const claims = ClientAssertion.parse(payload);
      this.#useOnce(`${claimed} ${claims.jti}`, Math.floor(now.getTime() / 1000));
      return claimed;
    } catch (error) {
      throw new DomainError('unauthorized', 'The service did not prove which one it is', {
        reason: 'client_assertion_invalid',
        cause: error,
      });
    }
  }

  #useOnce(id: string, now: number): void {
    for (const [old, until] of this.#used) {
      if (until > now) break;
      this.#used.delete(old);
    }
    if (this.#used.has(id)) throw new Error('The assertion was used before');
    // Forgetting one would let it be used again: full means wait.
    if (this.#used.size >= ACCESS_LIMITS.rememberedAssertions) throw new Error('Too many assertions at once');
    this.#used.set(id, now + ACCESS_LIMITS.assertionSeconds + 2 * TOLERANCE);
  }
}

/** The provider of {@link ClientAssertions} for a service that other services prove themselves to. */
export function provideClientAssertions(): FactoryProvider<ClientAssertions> {
  return {
    provide: ClientAssertions,
    inject: [ScsConfig, CLOCK, LOG],
    useFactory: ({ home }: ScsConfig, clock: Clock, log: Logger) => {
      const keys = new ServiceKeysFolder(home, {
        elapsed: () => performance.now(),
        warn: (message) => log.warn(message),
      });
      return new ClientAssertions({ clock, find: (service, kid) => keys.find(service, kid) });
    },
  };
}

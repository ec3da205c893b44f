import { AUTH_PATHS, type Actor, EXCHANGE_WORDS, ExchangeAnswer, type ExchangeRequest } from '#libs/contract';
import type { Clock } from '#libs/core';
import type { InternalClient } from '../internal-client.js';
import { proofAudience, type ServiceKey } from './service-key.js';
import type { TokenVerifier } from './verifier.js';

export interface ExchangeOptions {
  /** The one service that will take the new token. */
  readonly audience: ExchangeRequest['audience'];
  /** At most what the actor's token allows; library scopes for writing are narrowed to the container. */
  readonly scopes: readonly string[];
  readonly subject: { readonly job: string; readonly container: string };
  /** In seconds from now: the limit of the job. May be longer than the actor's token lives. */
  readonly lifetime: number;
}

export interface ExchangedToken {
  readonly token: string;
  readonly expiresAt: Date;
  readonly scopes: readonly string[];
}

/** Gets a token with fewer rights from a user's token, as one named service (RFC 8693). */
export class TokenExchange {
  readonly #key: ServiceKey;
  readonly #client: Pick<InternalClient, 'call'>;
  readonly #verifier: TokenVerifier;
  readonly #clock: Clock;

  constructor(parts: {
    readonly key: ServiceKey;
    readonly client: Pick<InternalClient, 'call'>;
    readonly verifier: TokenVerifier;
    readonly clock: Clock;
  }) {
    this.#key = parts.key;
    this.#client = parts.client;
    this.#verifier = parts.verifier;
    this.#clock = parts.clock;
  }

  /**
   * Exchanges the actor's token.
   * @throws DomainError `unauthorized` when the actor's token is no longer good, `forbidden` when it does not allow what is asked,
   *   `unavailable` when the auth service does not answer
   */
  async exchange(actor: Actor, options: ExchangeOptions): Promise<ExchangedToken> {
    const asked = this.#clock.now().getTime();
    const { body } = await this.#client.call({
      service: 'auth',
      method: 'POST',
      path: AUTH_PATHS.exchange,
      token: undefined,
      form: {
        grant_type: EXCHANGE_WORDS.grantType,
        subject_token: actor.token,
        subject_token_type: EXCHANGE_WORDS.accessToken,
        client_assertion_type: EXCHANGE_WORDS.clientAssertion,
        client_assertion: await this.#key.assertion(proofAudience(await this.#verifier.issuer(), 'auth')),
        audience: options.audience,
        scope: options.scopes.join(' '),
        job: options.subject.job,
        container: options.subject.container,
        lifetime: String(options.lifetime),
      },
    });
    const answer = ExchangeAnswer.parse(body);
    return {
      token: answer.access_token,
      // Counted from before the question: never later than what the token itself says.
      expiresAt: new Date(asked + answer.expires_in * 1000),
      scopes: answer.scope.split(' '),
    };
  }
}

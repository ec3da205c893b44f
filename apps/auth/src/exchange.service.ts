import { Inject, Injectable } from '@nestjs/common';
import { type Caller, Trail } from '#libs/audit';
import {
  type Actor,
  EXCHANGE_WORDS,
  type ExchangeAnswer,
  type ExchangeRequest,
  type RequestOrigin,
  type ServiceName,
} from '#libs/contract';
import { type Clock, DomainError, newObjectId } from '#libs/core';
import {
  ClientAssertions,
  CLOCK,
  describeActor,
  LOG,
  type Logger,
  proofAudience,
  refused,
  refusedCaller,
  TokenVerifier,
} from '#libs/server';
import { AccountsStore } from './accounts.store.js';
import { exchangeRefused, tokenExchanged } from './events.js';
import { Issuer } from './issuer.js';
import { decideExchange, enforce } from './policy.js';
import { accountClaims } from './tokens.service.js';
import { TokensStore } from './tokens.store.js';

/** Token exchange (RFC 8693): a user's token becomes one with fewer rights, one audience and one subject. */
@Injectable()
export class ExchangeService {
  constructor(
    private readonly tokens: TokensStore,
    private readonly accounts: AccountsStore,
    private readonly issuer: Issuer,
    private readonly verifier: TokenVerifier,
    private readonly assertions: ClientAssertions,
    private readonly trail: Trail,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(LOG) private readonly log: Logger,
  ) {}

  /** @throws DomainError `unauthorized` when service or token are not proven, `forbidden` when the token does not allow it */
  async exchange(request: ExchangeRequest, from: RequestOrigin): Promise<ExchangeAnswer> {
    let service: ServiceName | undefined;
    let caller: Caller | undefined;
    try {
      service = await this.#serviceOf(request.client_assertion);
      const actor = await this.verifier.verify(request.subject_token, request.audience);
      caller = { ...actor, from };
      return await this.#exchanged(request, service, actor, caller);
    } catch (error) {
      // What cannot be decided now was not refused.
      if (!(error instanceof DomainError) || error.code === 'unavailable') throw error;
      caller ??= refusedCaller(error) ?? (service === undefined ? await this.#holderOf(request) : undefined);
      if (caller !== undefined)
        await this.trail.record(exchangeRefused({ ...caller, from }, service, error.reason));
      throw error;
    }
  }

  #serviceOf(assertion: string): Promise<ServiceName> {
    return this.assertions.serviceOf(assertion, proofAudience(this.issuer.name, 'auth'));
  }

  /** Whose token it is that somebody tried to exchange who is no service: that is recorded, like every refusal about a known account. */
  async #holderOf({ subject_token, audience }: ExchangeRequest): Promise<Caller | undefined> {
    return this.verifier.verify(subject_token, audience).catch(refusedCaller);
  }

  async #exchanged(
    request: ExchangeRequest,
    service: ServiceName,
    actor: Actor,
    caller: Caller,
  ): Promise<ExchangeAnswer> {
    const decision = decideExchange(service, actor, request);
    enforce(decision);
    const scopes = decision.scopes ?? [];
    // The verifier's list is a moment old; what is about to outlive the token is decided by the records themselves.
    const [origin, account] = await Promise.all([
      this.tokens.get(actor.tokenId),
      this.accounts.get(actor.accountId),
    ]);
    if (origin === undefined || origin.value.revokedAt !== undefined) throw refused('token_revoked');
    if (account === undefined || account.value.disabled) throw refused('account_disabled');
    const now = Math.floor(this.clock.now().getTime() / 1000);
    const id = newObjectId();
    const subject = { job: request.job, container: request.container };
    const token = await this.issuer.accessToken({
      ...accountClaims(account),
      // Rights of an administrator are nothing that a job needs.
      administrator: false,
      aud: request.audience,
      jti: id,
      iat: now,
      exp: now + request.lifetime,
      scope: scopes.join(' '),
      act: { sub: service },
      origin: actor.tokenId,
      subject,
    });
    // Nothing is stored of the new token but this: nobody gets it without.
    await this.trail.record(
      tokenExchanged(caller, service, id, {
        username: actor.username,
        audience: request.audience,
        job: request.job,
        place: request.container,
        scopes: [...scopes],
        expiresAt: new Date((now + request.lifetime) * 1000).toISOString(),
      }),
    );
    this.log.info(
      {
        event: 'token_exchanged',
        actor: describeActor(actor),
        service,
        audience: request.audience,
        id,
        subject,
        scopes,
      },
      'A token was exchanged',
    );
    return {
      access_token: token,
      issued_token_type: EXCHANGE_WORDS.accessToken,
      token_type: 'Bearer',
      expires_in: request.lifetime,
      scope: scopes.join(' '),
    };
  }
}

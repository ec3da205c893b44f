import { Inject, Injectable } from '@nestjs/common';
import { EXCHANGE_WORDS, type ExchangeAnswer, type ExchangeRequest } from '#libs/contract';
import { type Clock, newObjectId } from '#libs/core';
import {
  ClientAssertions,
  CLOCK,
  describeActor,
  LOG,
  type Logger,
  refused,
  TokenVerifier,
} from '#libs/server';
import { AccountsStore } from './accounts.store.js';
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
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(LOG) private readonly log: Logger,
  ) {}

  /** @throws DomainError `unauthorized` when service or token are not proven, `forbidden` when the token does not allow it */
  async exchange(request: ExchangeRequest): Promise<ExchangeAnswer> {
    const service = await this.assertions.serviceOf(request.client_assertion, this.issuer.name);
    const actor = await this.verifier.verify(request.subject_token, request.audience);
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

import { Controller, Get, Header, Req } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import type { Actor, TokenStatus } from '#libs/contract';
import { DomainError } from '#libs/core';
import {
  credentialsMissing,
  parseAuthorization,
  SelfAuthenticated,
  TokenUses,
  TokenVerifier,
} from '#libs/server';

/** Asked by `remote login` and `remote status` (library contract §2.3). */
@Controller('v1/token-status')
export class TokenStatusController {
  constructor(
    private readonly verifier: TokenVerifier,
    private readonly uses: TokenUses,
  ) {}

  /** "404 for a presented-but-invalid token, 401 when no credentials are presented" (library contract §2.3). */
  @Get()
  @SelfAuthenticated()
  @Header('cache-control', 'no-store')
  async status(@Req() request: FastifyRequest): Promise<TokenStatus> {
    const presented = parseAuthorization(request.headers.authorization);
    if (presented.kind !== 'bearer') throw credentialsMissing();
    try {
      const actor = await this.verifier.verify(presented.token);
      this.uses.used(actor, { address: request.ip, client: request.headers['user-agent'] });
      return { data: presentStatus(actor) };
    } catch (error) {
      if (!(error instanceof DomainError) || error.code !== 'unauthorized') throw error;
      throw new DomainError('not_found', error.message, { reason: error.reason, cause: error });
    }
  }
}

function presentStatus(actor: Actor): TokenStatus['data'] {
  return {
    id: actor.tokenId,
    username: actor.username,
    displayName: actor.displayName,
    kind: actor.kind,
    administrator: actor.administrator,
    organisations: { ...actor.organisations },
    scopes: [...actor.scopes],
    expiresAt: actor.expiresAt.toISOString(),
  };
}

import { Body, Controller, HttpCode, Post, Req } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { TokenUseRequest } from '#libs/contract';
import {
  credentialsMissing,
  JsonBody,
  parseAuthorization,
  SelfAuthenticated,
  TokenVerifier,
} from '#libs/server';
import { AUTH_LIMITS } from './limits.js';
import { UsesService } from './uses.service.js';

/**
 * Where the other services report that a token was used. The token is the proof, and may be one that was exchanged for any
 * service: therefore it is checked here.
 */
@Controller('v1/auth/uses')
export class UsesController {
  constructor(
    private readonly verifier: TokenVerifier,
    private readonly uses: UsesService,
  ) {}

  @Post()
  @HttpCode(204)
  @SelfAuthenticated()
  async note(
    @Req() request: FastifyRequest,
    @Body(new JsonBody(TokenUseRequest, { limit: AUTH_LIMITS.body })) use: TokenUseRequest,
  ): Promise<void> {
    const presented = parseAuthorization(request.headers.authorization);
    if (presented.kind !== 'bearer') throw credentialsMissing();
    const { originTokenId } = await this.verifier.verifyForAnyService(presented.token);
    await this.uses.note(originTokenId, use);
  }
}

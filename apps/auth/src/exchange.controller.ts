import { Body, Controller, Header, HttpCode, Post, Req } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { requestOrigin } from '#libs/audit';
import { type ExchangeAnswer, ExchangeRequest } from '#libs/contract';
import { Audited, FormBody, SelfAuthenticated } from '#libs/server';
import { ExchangeService } from './exchange.service.js';
import { AUTH_LIMITS } from './limits.js';

/** Token exchange (RFC 8693 §2). The answer has no envelope: its words are the RFC's. */
@Controller('v1/auth/token')
export class ExchangeController {
  constructor(private readonly exchanges: ExchangeService) {}

  @Post()
  @HttpCode(200)
  @SelfAuthenticated()
  @Header('cache-control', 'no-store')
  @Audited('token.exchange')
  exchange(
    @Req() { ip, headers }: FastifyRequest,
    @Body(new FormBody(ExchangeRequest, { limit: AUTH_LIMITS.body })) request: ExchangeRequest,
  ): Promise<ExchangeAnswer> {
    return this.exchanges.exchange(request, requestOrigin(ip, headers['user-agent']));
  }
}

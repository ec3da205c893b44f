import { Body, Controller, Header, HttpCode, Post } from '@nestjs/common';
import { type ExchangeAnswer, ExchangeRequest } from '#libs/contract';
import { FormBody, SelfAuthenticated } from '#libs/server';
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
  exchange(
    @Body(new FormBody(ExchangeRequest, { limit: AUTH_LIMITS.body })) request: ExchangeRequest,
  ): Promise<ExchangeAnswer> {
    return this.exchanges.exchange(request);
  }
}

import { Body, Controller, Delete, Get, Header, HttpCode, Param, Post, Query } from '@nestjs/common';
import {
  type Actor,
  CreateTokenRequest,
  ListTokensQuery,
  type TokenAnswer,
  type TokensAnswer,
  type CreatedTokenAnswer,
} from '#libs/contract';
import { Audited, AcceptsPassword, Checked, CurrentActor, JsonBody, requireActor } from '#libs/server';
import type { z } from 'zod';
import { AUTH_LIMITS } from './limits.js';
import { TokenIdParam } from './parameters.js';
import { presentToken } from './present.js';
import { TokensService } from './tokens.service.js';

/** The tokens of accounts. User name and password are taken here too, because that is how the first token of a person is made. */
@Controller('v1/auth/tokens')
@AcceptsPassword()
export class TokensController {
  constructor(private readonly tokens: TokensService) {}

  @Post()
  @HttpCode(200)
  @Header('cache-control', 'no-store')
  @Audited('token.create')
  async create(
    @CurrentActor() actor: Actor | undefined,
    @Body(new JsonBody(CreateTokenRequest, { limit: AUTH_LIMITS.body })) request: CreateTokenRequest,
  ): Promise<z.infer<typeof CreatedTokenAnswer>> {
    const { stored, token } = await this.tokens.create(requireActor(actor), request);
    return { data: { ...presentToken(stored), token } };
  }

  @Get()
  async list(
    @CurrentActor() actor: Actor | undefined,
    @Query(new Checked(ListTokensQuery)) query: ListTokensQuery,
  ): Promise<z.infer<typeof TokensAnswer>> {
    const { items, cursor } = await this.tokens.list(requireActor(actor), query);
    return { data: items.map(presentToken), ...(cursor === undefined ? {} : { page: { next: cursor } }) };
  }

  @Delete(':id')
  @HttpCode(200)
  @Audited('token.revoke')
  async revoke(
    @CurrentActor() actor: Actor | undefined,
    @Param('id', TokenIdParam) id: string,
  ): Promise<z.infer<typeof TokenAnswer>> {
    return { data: presentToken(await this.tokens.revoke(requireActor(actor), id)) };
  }
}

import { Controller, Get, Header, Inject, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Clock } from '#libs/core';
import { CLOCK, SelfAuthenticated } from '#libs/server';
import { parseLookup } from './lookup.request.js';
import { LookupService } from './lookup.service.js';
import { listingOf } from './present.js';

/** `GET /pks/lookup`. Public: a token, good or bad, changes nothing (keystore contract §0 rule 14). */
@Controller('pks')
export class LookupController {
  constructor(
    private readonly lookups: LookupService,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  @Get('lookup')
  @SelfAuthenticated()
  @Header('access-control-allow-origin', '*')
  @Header('cache-control', 'no-cache')
  async lookup(
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<string> {
    const question = request.url.indexOf('?');
    const { operation, searches } = parseLookup(question === -1 ? '' : request.url.slice(question + 1));
    if (operation === 'index') {
      const found = await this.lookups.list(searches);
      void reply.type('text/plain; charset=utf-8');
      return listingOf(found, this.clock.now());
    }
    const armor = await this.lookups.get(searches);
    void reply.type('application/pgp-keys');
    return armor;
  }
}

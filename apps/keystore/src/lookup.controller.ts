import { Controller, Get, Header, Inject, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Clock } from '#libs/core';
import { joinArmor } from '#libs/pgp';
import { CLOCK, SelfAuthenticated } from '#libs/server';
import { parseLookup } from './lookup.request.js';
import { LookupService } from './lookup.service.js';
import { armorOf, listingOf } from './present.js';

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
    const lookup = parseLookup(request.url.split('?').slice(1).join('?'));
    const found = await this.lookups.find(lookup);
    if (lookup.operation === 'index') {
      void reply.type('text/plain; charset=utf-8');
      return listingOf(found, this.clock.now());
    }
    void reply.type('application/pgp-keys');
    return armorOf(found, joinArmor);
  }
}

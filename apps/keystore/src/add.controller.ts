import { Controller, Headers, HttpCode, Post, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Actor, KeyAddAnswer } from '#libs/contract';
import { DomainError } from '#libs/core';
import { Anonymous, Audience, Audited, CurrentActor, Requires, SelfAuthenticated } from '#libs/server';
import { OpenToBrowsers } from './open-to-browsers.js';
import { submittedJson, submittedText } from './present.js';
import { Uploads } from './uploads.js';

/** `POST /pks/add`: exactly 200 on success (keystore contract §0 rule 1). */
@Controller('pks')
@Audience('keystore')
export class AddController {
  constructor(private readonly uploads: Uploads) {}

  @Post('add')
  @HttpCode(200)
  @Anonymous()
  @Requires('keystore:write')
  @Audited('key.add')
  @OpenToBrowsers()
  async add(
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
    @Headers('accept') accept: string | undefined,
    @CurrentActor() actor: Actor | undefined,
  ): Promise<string | KeyAddAnswer> {
    const results = await this.uploads.take(request, reply, actor);
    if (accept?.includes('application/json') === true) return submittedJson(results);
    void reply.type('text/plain; charset=utf-8');
    return submittedText(results);
  }

  /** Reconciliation between servers, which this one does not take part in (keystore contract §1.3). */
  @Post('hashquery')
  @SelfAuthenticated()
  hashquery(): never {
    throw new DomainError('not_implemented', 'This keystore does not reconcile with others');
  }
}

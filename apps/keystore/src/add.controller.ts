import { Controller, Headers, HttpCode, Post, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Actor, KeyAddAnswer } from '#libs/contract';
import { Audience, Audited, CurrentActor, readBytes, Requires } from '#libs/server';
import { keysOf } from './add.request.js';
import { LIMITS } from './limits.js';
import { submittedJson, submittedText } from './present.js';
import { SubmitService } from './submit.service.js';

/** `POST /pks/add`: exactly 200 on success (keystore contract §0 rule 1). */
@Controller('pks')
@Audience('keystore')
export class AddController {
  constructor(private readonly submissions: SubmitService) {}

  @Post('add')
  @HttpCode(200)
  @Requires('keystore:write')
  @Audited('key.add')
  async add(
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
    @Headers('accept') accept: string | undefined,
    @CurrentActor() actor: Actor,
  ): Promise<string | KeyAddAnswer> {
    const body = await readBytes(request.raw, LIMITS.uploadBytes);
    const results = await this.submissions.submit(keysOf(request.headers['content-type'], body), actor);
    if (accept?.includes('application/json') === true) return submittedJson(results);
    void reply.type('text/plain; charset=utf-8');
    return submittedText(results);
  }
}

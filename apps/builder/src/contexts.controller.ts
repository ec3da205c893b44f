import { Body, Controller, Delete, HttpCode, Param, Post, Put, Query, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { type Actor, BuildContextAnnouncement } from '#libs/contract';
import { AfterExpiry, Checked, CurrentActor, JsonBody, Requires, SelfAuthenticated } from '#libs/server';
import { ContextsService } from './contexts.service.js';

const Grant = z.object({
  holder: z.string().max(64),
  size: z.coerce.number().int().positive(),
  expires: z.coerce.number().int().positive(),
  mac: z.string().max(64),
});

/** Build contexts (builder contract §3.11). */
@Controller('v1/build-context')
export class ContextsController {
  constructor(private readonly contexts: ContextsService) {}

  /** With a `Location` the upload is wanted; without one the content is here. */
  @Post()
  @HttpCode(202)
  @Requires('build')
  async announce(
    @Body(new JsonBody(BuildContextAnnouncement)) body: BuildContextAnnouncement,
    @CurrentActor() actor: Actor,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<{ data: object }> {
    const location = await this.contexts.announce(body, actor);
    if (location !== undefined) void reply.header('location', location);
    return { data: {} };
  }

  @Put(':digest/_upload')
  @HttpCode(201)
  @SelfAuthenticated()
  async upload(
    @Param('digest') digest: string,
    @Query(new Checked(Grant)) grant: z.infer<typeof Grant>,
    @Req() request: FastifyRequest,
  ): Promise<{ data: object }> {
    await this.contexts.upload(digest, grant, request.raw);
    return { data: {} };
  }

  @Delete(':digest')
  @HttpCode(200)
  @AfterExpiry(ContextsService, (contexts, actor, { params }) =>
    contexts.hasAnnounced((params as { digest: string }).digest, actor),
  )
  @Requires('build')
  async release(@Param('digest') digest: string, @CurrentActor() actor: Actor): Promise<{ data: object }> {
    await this.contexts.release(digest, actor);
    return { data: {} };
  }
}

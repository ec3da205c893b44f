import { Body, Controller, Delete, Get, HttpCode, Param, Post, Put, Query, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { type Actor, type BuildMetadata, BuildRequest } from '#libs/contract';
import {
  AfterExpiry,
  Audited,
  Checked,
  CurrentActor,
  JsonBody,
  readBytes,
  Requires,
  sendSource,
} from '#libs/server';
import { BuildsService } from './builds.service.js';
import { LIMITS } from './limits.js';

const Text = z.string().max(100).optional();
const ListBuildsQuery = z.object({ from: Text, to: Text, user: Text, includeDeleted: Text });

/** What somebody asks who waits for the end of a build: it may last longer than the token. */
const WhileAwaited = () =>
  AfterExpiry(BuildsService, (builds, actor, { params }) =>
    builds.isAwaited((params as { id: string }).id, actor),
  );

/** What people and their clients ask of the builder (builder contract §3). */
@Controller('v1')
@Requires('build')
export class BuildsController {
  constructor(private readonly builds: BuildsService) {}

  @Post('build')
  @HttpCode(200)
  @Audited('build.submit')
  async submit(
    @Body(new JsonBody(BuildRequest, { limit: LIMITS.submitBytes })) body: BuildRequest,
    @CurrentActor() actor: Actor,
  ): Promise<{ data: BuildMetadata }> {
    return { data: await this.builds.submit(body, actor) };
  }

  /** The oldest form: the definition as plain text (builder contract §3.10). */
  @Post('build-def-file')
  @HttpCode(200)
  @Audited('build.submit')
  async submitText(
    @Req() request: FastifyRequest,
    @CurrentActor() actor: Actor,
  ): Promise<{ data: BuildMetadata }> {
    const buildRecipe = (await readBytes(request.raw, LIMITS.definitionBytes)).toString('utf8');
    return { data: await this.builds.submit({ buildRecipe }, actor) };
  }

  @Get('build')
  async list(
    @Query(new Checked(ListBuildsQuery)) query: z.infer<typeof ListBuildsQuery>,
    @CurrentActor() actor: Actor,
  ): Promise<{ data: BuildMetadata[] }> {
    return { data: await this.builds.list(query, actor) };
  }

  @Get('build/:id')
  @WhileAwaited()
  async status(@Param('id') id: string, @CurrentActor() actor: Actor): Promise<{ data: BuildMetadata }> {
    return { data: await this.builds.status(id, actor) };
  }

  @Put('build/:id/_cancel')
  @WhileAwaited()
  @HttpCode(204)
  @Audited('build.cancel')
  async cancel(@Param('id') id: string, @CurrentActor() actor: Actor): Promise<void> {
    await this.builds.cancel(id, actor);
  }

  @Delete('build/:id')
  @HttpCode(200)
  @Audited('build.delete')
  async delete(@Param('id') id: string, @CurrentActor() actor: Actor): Promise<{ data: object }> {
    await this.builds.delete(id, actor);
    return { data: {} };
  }

  @Get('build-output/:id')
  @WhileAwaited()
  async output(
    @Param('id') id: string,
    @CurrentActor() actor: Actor,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const log = await this.builds.output(id, actor);
    try {
      await sendSource(request, reply, log, {
        contentType: 'text/plain; charset=utf-8',
        etag: `"${id}-${log.size}"`,
      });
    } finally {
      await log.close();
    }
  }
}

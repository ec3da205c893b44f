import { Body, Controller, Get, HttpCode, Param, Post, Put, Query, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { type Actor, JobOutcome, type Ticket, TicketRequest, TryId } from '#libs/contract';
import {
  Audience,
  Audited,
  Checked,
  CurrentActor,
  JsonBody,
  readBytes,
  Requires,
  SelfAuthenticated,
  sendSource,
} from '#libs/server';
import { JobsService } from './jobs.service.js';
import { LIMITS } from './limits.js';
import { WorkerProof } from './worker-proof.js';

const TryQuery = z.object({ try: TryId });
const LogQuery = TryQuery.extend({ offset: z.coerce.number().int().nonnegative() });

/** What workers ask of the builder about one build; the shapes are in the contract library, file job.ts. */
@Controller('v1/build/:id')
@Audience('builder')
@Requires('build')
export class JobsController {
  constructor(
    private readonly jobs: JobsService,
    private readonly proof: WorkerProof,
  ) {}

  @Post('_ticket')
  @HttpCode(200)
  @SelfAuthenticated()
  async ticket(
    @Param('id') id: string,
    @Body(new JsonBody(TicketRequest)) body: TicketRequest,
  ): Promise<{ data: Ticket }> {
    await this.proof.check(body.clientAssertion);
    return { data: await this.jobs.ticket(id, body.tryId) };
  }

  @Put('_log')
  @HttpCode(200)
  async log(
    @Param('id') id: string,
    @Query(new Checked(LogQuery)) query: z.infer<typeof LogQuery>,
    @Req() request: FastifyRequest,
    @CurrentActor() actor: Actor,
  ): Promise<{ data: { size: number; wanted: boolean } }> {
    const bytes = await readBytes(request.raw, LIMITS.logAppendBytes);
    return { data: await this.jobs.append(id, query.try, { offset: query.offset, bytes }, actor) };
  }

  @Get('_context')
  async context(
    @Param('id') id: string,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
    @CurrentActor() actor: Actor,
  ): Promise<void> {
    const context = await this.jobs.context(id, actor);
    try {
      await sendSource(request, reply, context, { contentType: 'application/gzip', etag: '"context"' });
    } finally {
      await context.close();
    }
  }

  @Put('_finish')
  @HttpCode(200)
  @Audited('build.end')
  async finish(
    @Param('id') id: string,
    @Query(new Checked(TryQuery)) query: z.infer<typeof TryQuery>,
    @Body(new JsonBody(JobOutcome)) body: JobOutcome,
    @CurrentActor() actor: Actor,
  ): Promise<{ data: object }> {
    await this.jobs.finish(id, query.try, body, actor);
    return { data: {} };
  }
}

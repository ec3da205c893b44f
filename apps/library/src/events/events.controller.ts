import { Controller, Get, Headers, Query, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { type Actor, EventsQuery } from '#libs/contract';
import { parseNamePath } from '#libs/core';
import { Anonymous, Audience, Checked, CurrentActor } from '#libs/server';
import { EventStreamsService } from './eventStreams.service.js';

/** What happens in the library, as it happens. */
@Controller('v1/events')
@Audience('library')
export class EventsController {
  constructor(private readonly streams: EventStreamsService) {}

  @Get()
  @Anonymous()
  async follow(
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
    @Query(new Checked(EventsQuery)) query: EventsQuery,
    @Headers('last-event-id') last: string | undefined,
    @CurrentActor() actor: Actor | undefined,
  ): Promise<void> {
    const entity = query.entity === undefined ? undefined : parseNamePath(query.entity, [''])[0];
    const after = last === undefined || last === '' ? query.after : last;
    const listener = { actor, address: request.ip, entity, after };
    if (request.method === 'HEAD') {
      await this.streams.prepare(listener);
      await reply.type('text/event-stream; charset=utf-8').send();
      return;
    }
    await this.streams.send(reply, listener);
  }
}

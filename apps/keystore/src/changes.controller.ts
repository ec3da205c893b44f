import { Controller, Get, Header, Headers, Query, Req, Res, UseGuards } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { type KeyChangesAnswer, KeyChangesQuery, KeyEventsQuery } from '#libs/contract';
import { Anonymous, Audience, check, Checked } from '#libs/server';
import { ChangeEvents } from './change-events.js';
import { ChangesStore } from './changes.store.js';
import { etagOf, isKnown } from './conditional.js';
import { ReadsGuard } from './reads.js';

/** What became of certificates: for whoever has some already and must hear of their revocation (keystore contract §5.2). */
@Controller('v1/keys')
@UseGuards(ReadsGuard)
@Audience('keystore')
export class ChangesController {
  constructor(
    private readonly changes: ChangesStore,
    private readonly events: ChangeEvents,
  ) {}

  @Get('changes')
  @Anonymous()
  @Header('access-control-allow-origin', '*')
  @Header('cache-control', 'no-cache')
  async list(
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
    @Query(new Checked(KeyChangesQuery)) { after, fingerprint, limit }: KeyChangesQuery,
  ): Promise<string | undefined> {
    const page =
      fingerprint === undefined
        ? await this.changes.after(after, limit)
        : await this.changes.of(fingerprint, after);
    const answer: KeyChangesAnswer = { data: { ...page, changes: [...page.changes] } };
    const body = JSON.stringify(answer);
    if (isKnown(request, reply, etagOf(body))) return undefined;
    void reply.type('application/json; charset=utf-8');
    return body;
  }

  @Get('events')
  @Anonymous()
  @Header('access-control-allow-origin', '*')
  async follow(
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
    @Query(new Checked(KeyEventsQuery)) query: KeyEventsQuery,
    @Headers('last-event-id') last: string | undefined,
  ): Promise<void> {
    const named =
      last === undefined || last === '' ? query : check(KeyEventsQuery, { after: last }, 'Last-Event-ID');
    if (request.method === 'HEAD') {
      await reply.type('text/event-stream; charset=utf-8').send();
      return;
    }
    await this.events.send(reply, request.ip, named.after);
  }
}

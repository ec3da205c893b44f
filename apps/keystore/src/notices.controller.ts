import { Controller, Get, Header, Param, Put, Query } from '@nestjs/common';
import type { z } from 'zod';
import { type Actor, type KeyNoticeAnswer, type KeyNoticesAnswer, ListQuery } from '#libs/contract';
import { Checked, CurrentActor, Requires } from '#libs/server';
import { FingerprintParam } from './keys.controller.js';
import { NoticesService } from './notices.service.js';

/** What an account was told about the ends of its keys: for people, and no job of theirs. */
@Controller('v1/keys/notices')
export class NoticesController {
  constructor(private readonly notices: NoticesService) {}

  @Get()
  @Header('cache-control', 'no-store')
  async list(
    @Query(new Checked(ListQuery)) query: ListQuery,
    @CurrentActor() actor: Actor,
  ): Promise<z.infer<typeof KeyNoticesAnswer>> {
    const { notices, cursor } = await this.notices.list(actor, query);
    return { data: notices, ...(cursor === undefined ? {} : { page: { next: cursor } }) };
  }

  @Put(':fingerprint')
  @Requires('keystore:write')
  @Header('cache-control', 'no-store')
  async acknowledge(
    @Param('fingerprint', FingerprintParam) fingerprint: string,
    @CurrentActor() actor: Actor,
  ): Promise<z.infer<typeof KeyNoticeAnswer>> {
    return { data: await this.notices.acknowledge(actor, fingerprint) };
  }
}

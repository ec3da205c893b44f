import { Controller, Delete, Get, Header, Param, Put, Query } from '@nestjs/common';
import type { z } from 'zod';
import { type Actor, type BlockedKeyAnswer, type BlockedKeysAnswer, ListQuery } from '#libs/contract';
import { Audited, Checked, CurrentActor, Requires } from '#libs/server';
import { BlocksService } from './blocks.service.js';
import { FingerprintParam } from './keys.controller.js';

/** Keys that may not come, for administrators. */
@Controller('v1/keys/blocked')
@Requires('admin')
export class BlocksController {
  constructor(private readonly blocks: BlocksService) {}

  @Get()
  @Header('cache-control', 'no-store')
  async list(@Query(new Checked(ListQuery)) query: ListQuery): Promise<z.infer<typeof BlockedKeysAnswer>> {
    const { blocked, cursor } = await this.blocks.list(query);
    return { data: blocked, ...(cursor === undefined ? {} : { page: { next: cursor } }) };
  }

  @Get(':fingerprint')
  @Header('cache-control', 'no-store')
  async show(
    @Param('fingerprint', FingerprintParam) fingerprint: string,
  ): Promise<z.infer<typeof BlockedKeyAnswer>> {
    return { data: await this.blocks.show(fingerprint) };
  }

  @Put(':fingerprint')
  @Audited('key.block')
  async block(
    @Param('fingerprint', FingerprintParam) fingerprint: string,
    @CurrentActor() actor: Actor,
  ): Promise<z.infer<typeof BlockedKeyAnswer>> {
    return { data: await this.blocks.block(fingerprint, actor) };
  }

  @Delete(':fingerprint')
  @Audited('key.unblock')
  async unblock(
    @Param('fingerprint', FingerprintParam) fingerprint: string,
    @CurrentActor() actor: Actor,
  ): Promise<z.infer<typeof BlockedKeyAnswer>> {
    return { data: await this.blocks.unblock(fingerprint, actor) };
  }
}

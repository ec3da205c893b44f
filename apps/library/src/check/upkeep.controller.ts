import { Body, Controller, Get, HttpCode, Post, Query } from '@nestjs/common';
import type { z } from 'zod';
import {
  type Actor,
  type DamagedAnswer,
  DamagedQuery,
  type LibraryCheckAnswer,
  LibraryCheckRequest,
} from '#libs/contract';
import { Audience, Audited, Checked, CurrentActor, JsonBody, Requires } from '#libs/server';
import { UpkeepStore } from './upkeep.store.js';

/** The whole library at once, for administrators. */
@Controller('v1/library')
@Audience('library')
@Requires('admin')
export class UpkeepController {
  constructor(private readonly upkeep: UpkeepStore) {}

  @Post('check')
  @HttpCode(200)
  @Audited('library.repair')
  async check(
    @Body(new JsonBody(LibraryCheckRequest)) { repair, rehash, cursor }: LibraryCheckRequest,
    @CurrentActor() actor: Actor,
  ): Promise<z.infer<typeof LibraryCheckAnswer>> {
    const { next, ...data } = await this.upkeep.check(cursor, { repair, rehash, actor });
    return { data, ...(next === undefined ? {} : { page: { next } }) };
  }

  @Get('damaged')
  async damaged(
    @Query(new Checked(DamagedQuery)) { cursor }: DamagedQuery,
  ): Promise<z.infer<typeof DamagedAnswer>> {
    const { damaged, next } = await this.upkeep.damaged(cursor);
    return { data: { damaged }, ...(next === undefined ? {} : { page: { next } }) };
  }
}

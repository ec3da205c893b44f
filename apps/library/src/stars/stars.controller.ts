import { Controller, Delete, Get, HttpCode, Param, Put, Query } from '@nestjs/common';
import type { z } from 'zod';
import {
  type Actor,
  ListQuery,
  MANAGE_PATH,
  type StarAnswer,
  type StarredContainer,
  type StarsList,
} from '#libs/contract';
import { Audited, Checked, CurrentActor, Requires } from '#libs/server';
import { type ContainerParams, pathOf } from '../manage/paths.js';
import { type Starred, StarsService } from './stars.service.js';

/** Stars of the caller's: people, and no job of theirs. */
@Controller(MANAGE_PATH)
export class StarsController {
  constructor(private readonly stars: StarsService) {}

  @Get('stars')
  @Requires('library:read')
  async mine(
    @Query(new Checked(ListQuery)) query: ListQuery,
    @CurrentActor() actor: Actor,
  ): Promise<z.infer<typeof StarsList>> {
    const { items, cursor } = await this.stars.mine(query, actor);
    return { data: items.map(present), ...(cursor === undefined ? {} : { page: { next: cursor } }) };
  }

  @Put('stars/:entity/:collection/:container')
  @HttpCode(200)
  @Requires('library:read')
  @Audited('container.star')
  async give(@Param() params: ContainerParams, @CurrentActor() actor: Actor): Promise<StarAnswer> {
    return { data: await this.stars.set(pathOf(params), true, actor) };
  }

  @Delete('stars/:entity/:collection/:container')
  @HttpCode(200)
  @Requires('library:read')
  @Audited('container.unstar')
  async takeBack(@Param() params: ContainerParams, @CurrentActor() actor: Actor): Promise<StarAnswer> {
    return { data: await this.stars.set(pathOf(params), false, actor) };
  }
}

function present({ star, container: { id, value } }: Starred): StarredContainer {
  const { entityName: entity, collectionName: collection, name, description, stars, downloadCount } = value;
  const place = { id, entity, collection, name, description, private: value.private };
  return { ...place, stars, downloadCount, starredAt: star.value.at };
}

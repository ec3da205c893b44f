import { Controller, Get, Param, Query } from '@nestjs/common';
import type { z } from 'zod';
import {
  type Actor,
  type CollectionsList,
  type ContainersList,
  type ImagesList,
  ListQuery,
  MANAGE_PATH,
  type TagsList,
} from '#libs/contract';
import { Anonymous, Audience, Checked, CurrentActor } from '#libs/server';
import { type Listed, ListsService } from './lists.service.js';
import { type ContainerParams, pathOf } from './paths.js';
import { listedCollection, listedContainer, listedImage, listedTag } from './present.js';

/** What lies where in the library, page by page. What is public is everybody's to read. */
@Controller(MANAGE_PATH)
@Audience('library')
@Anonymous()
export class ListsController {
  constructor(private readonly lists: ListsService) {}

  @Get('collections/:entity')
  async collections(
    @Param() params: ContainerParams,
    @Query(new Checked(ListQuery)) query: ListQuery,
    @CurrentActor() actor: Actor | undefined,
  ): Promise<z.infer<typeof CollectionsList>> {
    return answer(await this.lists.collectionsOf(pathOf(params), query, actor), listedCollection);
  }

  @Get('containers/:entity/:collection')
  async containers(
    @Param() params: ContainerParams,
    @Query(new Checked(ListQuery)) query: ListQuery,
    @CurrentActor() actor: Actor | undefined,
  ): Promise<z.infer<typeof ContainersList>> {
    return answer(await this.lists.containersOf(pathOf(params), query, actor), listedContainer);
  }

  @Get('images/:entity/:collection/:container')
  async images(
    @Param() params: ContainerParams,
    @Query(new Checked(ListQuery)) query: ListQuery,
    @CurrentActor() actor: Actor | undefined,
  ): Promise<z.infer<typeof ImagesList>> {
    return answer(await this.lists.imagesOf(pathOf(params), query, actor), listedImage);
  }

  @Get('tags/:entity/:collection/:container')
  async tags(
    @Param() params: ContainerParams,
    @Query(new Checked(ListQuery)) query: ListQuery,
    @CurrentActor() actor: Actor | undefined,
  ): Promise<z.infer<typeof TagsList>> {
    return answer(await this.lists.tagsOf(pathOf(params), query, actor), listedTag);
  }
}

function answer<T, P>(
  { items, cursor }: Listed<T>,
  present: (item: T) => P,
): { data: P[]; page?: { next: string } } {
  return { data: items.map(present), ...(cursor === undefined ? {} : { page: { next: cursor } }) };
}

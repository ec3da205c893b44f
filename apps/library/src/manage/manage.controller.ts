import { Body, Controller, Delete, HttpCode, Param, Patch, Post, Query } from '@nestjs/common';
import {
  type Actor,
  ChangeCollectionRequest,
  ChangeContainerRequest,
  ChangeEntityRequest,
  type EntityRetentionAnswer,
  EntityRetentionRequest,
  MANAGE_PATH,
  type RetentionAnswer,
  RetentionRequest,
} from '#libs/contract';
import { Audited, CurrentActor, JsonBody, Requires } from '#libs/server';
import { archOfQuery } from '../images/archQuery.js';
import { TagsService } from '../images/tags.service.js';
import { presentCollection, presentContainer, presentEntity } from '../present.js';
import { ChangesService } from './changes.service.js';
import { ContainerChangesService } from './containerChanges.service.js';
import { type ContainerParams, pathOf } from './paths.js';
import { RetentionService } from './retention.service.js';
import { RemovalsService } from './removals.service.js';

/**
 * What owners and writers change and remove: people, and no job of theirs, which brings images. The answers are those of the routes that
 * stock clients use.
 */
@Controller(MANAGE_PATH)
export class ManageController {
  constructor(
    private readonly changes: ChangesService,
    private readonly containerChanges: ContainerChangesService,
    private readonly removals: RemovalsService,
    private readonly retention: RetentionService,
    private readonly tags: TagsService,
  ) {}

  @Patch('entities/:entity')
  @HttpCode(200)
  @Requires('library:write')
  @Audited('entity.change')
  async changeEntity(
    @Param() params: ContainerParams,
    @Body(new JsonBody(ChangeEntityRequest)) request: ChangeEntityRequest,
    @CurrentActor() actor: Actor,
  ): Promise<object> {
    return { data: presentEntity(await this.changes.changeEntity(pathOf(params), request, actor), true) };
  }

  @Patch('collections/:entity/:collection')
  @HttpCode(200)
  @Requires('library:write')
  @Audited('collection.change')
  async changeCollection(
    @Param() params: ContainerParams,
    @Body(new JsonBody(ChangeCollectionRequest)) request: ChangeCollectionRequest,
    @CurrentActor() actor: Actor,
  ): Promise<object> {
    return { data: presentCollection(await this.changes.changeCollection(pathOf(params), request, actor)) };
  }

  @Patch('containers/:entity/:collection/:container')
  @HttpCode(200)
  @Requires('library:write')
  @Audited('container.change')
  async changeContainer(
    @Param() params: ContainerParams,
    @Body(new JsonBody(ChangeContainerRequest)) request: ChangeContainerRequest,
    @CurrentActor() actor: Actor,
  ): Promise<object> {
    const container = await this.containerChanges.change(pathOf(params), request, actor);
    return { data: presentContainer(container, await this.tags.ofContainer(container)) };
  }

  @Post('retention/:entity/:collection/:container')
  @HttpCode(200)
  @Requires('library:delete')
  @Audited('image.delete')
  async retain(
    @Param() params: ContainerParams,
    @Body(new JsonBody(RetentionRequest)) request: RetentionRequest,
    @CurrentActor() actor: Actor,
  ): Promise<RetentionAnswer> {
    return { data: await this.retention.run(pathOf(params), request, actor) };
  }

  @Post('retention/:entity')
  @HttpCode(200)
  @Requires('library:delete')
  @Audited('image.delete')
  async retainAll(
    @Param() params: ContainerParams,
    @Body(new JsonBody(EntityRetentionRequest)) request: EntityRetentionRequest,
    @CurrentActor() actor: Actor,
  ): Promise<EntityRetentionAnswer> {
    return this.retention.runEntity(pathOf(params), request, actor);
  }

  @Delete('entities/:entity')
  @HttpCode(200)
  @Requires('library:delete')
  @Audited('entity.delete')
  async removeEntity(@Param() params: ContainerParams, @CurrentActor() actor: Actor): Promise<object> {
    await this.removals.removeEntity(pathOf(params), actor);
    return GONE;
  }

  @Delete('collections/:entity/:collection')
  @HttpCode(200)
  @Requires('library:delete')
  @Audited('collection.delete')
  async removeCollection(@Param() params: ContainerParams, @CurrentActor() actor: Actor): Promise<object> {
    await this.removals.removeCollection(pathOf(params), actor);
    return GONE;
  }

  @Delete('containers/:entity/:collection/:container')
  @HttpCode(200)
  @Requires('library:delete')
  @Audited('container.delete')
  async removeContainer(@Param() params: ContainerParams, @CurrentActor() actor: Actor): Promise<object> {
    await this.removals.removeContainer(pathOf(params), actor);
    return GONE;
  }

  @Delete('tags/:entity/:collection/:container/:tag')
  @HttpCode(200)
  @Requires('library:delete')
  @Audited('tag.delete')
  async removeTag(
    @Param() { tag, ...params }: ContainerParams & { readonly tag: string },
    @Query() query: Readonly<Record<string, unknown>>,
    @CurrentActor() actor: Actor,
  ): Promise<object> {
    await this.removals.removeTag(pathOf(params), tag, archOfQuery(query), actor);
    return GONE;
  }
}

const GONE = { data: { deleted: true } } as const;

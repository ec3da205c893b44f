import { Body, Controller, Get, HttpCode, Param, Post } from '@nestjs/common';
import { type Actor, CollectionRequest, ContainerRequest, EntityRequest } from '#libs/contract';
import { parseNamePath } from '#libs/core';
import { Anonymous, Audience, Audited, CurrentActor, JsonBody, Requires } from '#libs/server';
import { DEFAULTS } from '../limits.js';
import { roleIn } from '../policy.js';
import { presentCollection, presentContainer, presentEntity } from '../present.js';
import { TagsService } from '../images/tags.service.js';
import { TreeService } from './tree.service.js';

/** Entities, collections and containers (library contract §5 nos. 5–11). */
@Controller()
@Audience('library')
export class TreeController {
  constructor(
    private readonly tree: TreeService,
    private readonly tags: TagsService,
  ) {}

  @Get('v1/entities')
  async listEntities(@CurrentActor() actor: Actor): Promise<object> {
    return { data: (await this.tree.listEntities(actor)).map((entity) => presentEntity(entity, true)) };
  }

  @Post('v1/entities')
  @HttpCode(200)
  @Requires('library:create')
  @Audited('entity.create')
  async createEntity(
    @Body(new JsonBody(EntityRequest)) request: EntityRequest,
    @CurrentActor() actor: Actor,
  ): Promise<object> {
    return { data: presentEntity(await this.tree.createEntity(request, actor), true) };
  }

  @Get('v1/entities/*')
  @Anonymous()
  async entity(@Param('*') path: string, @CurrentActor() actor: Actor | undefined): Promise<object> {
    const [name = ''] = parseNamePath(path, [DEFAULTS.entity]);
    const insider = roleIn(actor, name) !== 'stranger';
    return { data: presentEntity(await this.tree.entity(name, actor), insider) };
  }

  @Post('v1/collections')
  @HttpCode(200)
  @Requires('library:create')
  @Audited('collection.create')
  async createCollection(
    @Body(new JsonBody(CollectionRequest)) request: CollectionRequest,
    @CurrentActor() actor: Actor,
  ): Promise<object> {
    return { data: presentCollection(await this.tree.createCollection(request, actor)) };
  }

  @Get('v1/collections/*')
  @Anonymous()
  async collection(@Param('*') path: string, @CurrentActor() actor: Actor | undefined): Promise<object> {
    const names = parseNamePath(path, [DEFAULTS.entity, DEFAULTS.collection]);
    return { data: presentCollection(await this.tree.collection(names.join('/'), actor)) };
  }

  @Post('v1/containers')
  @HttpCode(200)
  @Requires('library:create')
  @Audited('container.create')
  async createContainer(
    @Body(new JsonBody(ContainerRequest)) request: ContainerRequest,
    @CurrentActor() actor: Actor,
  ): Promise<object> {
    const container = await this.tree.createContainer(request, actor);
    return { data: presentContainer(container, await this.tags.ofContainer(container)) };
  }

  @Get('v1/containers/*')
  @Anonymous()
  async container(@Param('*') path: string, @CurrentActor() actor: Actor | undefined): Promise<object> {
    const names = parseNamePath(path, [DEFAULTS.entity, DEFAULTS.collection, '']);
    const container = await this.tree.container(names.join('/'), actor);
    return { data: presentContainer(container, await this.tags.ofContainer(container)) };
  }
}

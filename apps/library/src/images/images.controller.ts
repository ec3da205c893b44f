import { Body, Controller, Delete, Get, HttpCode, Param, Post, Query } from '@nestjs/common';
import { type Actor, ImageRequest } from '#libs/contract';
import { DomainError, parseImagePath } from '#libs/core';
import { AfterExpiry, Anonymous, Audience, Audited, CurrentActor, JsonBody, Requires } from '#libs/server';
import { archOfQuery } from './archQuery.js';
import { BegunService } from '../uploads/begun.service.js';
import { type FoundImage, ImagesService } from './images.service.js';
import { DEFAULTS } from '../limits.js';
import { presentImage } from '../present.js';
import { DoorService } from '../signers/door.service.js';
import { TagsStore } from './tags.store.js';

type Query_ = Readonly<Record<string, unknown>>;

/** Image records (library contract §5 nos. 4, 12–14). */
@Controller()
@Audience('library')
export class ImagesController {
  constructor(
    private readonly images: ImagesService,
    private readonly tags: TagsStore,
    private readonly begun: BegunService,
    private readonly door: DoorService,
  ) {}

  /** No registry stands behind this library: "200 with JSON lacking `url` is fatal" (library contract rule 19). */
  @Get('v1/oci-redirect')
  @Anonymous()
  redirect(): never {
    throw new DomainError('not_found', 'This library has no OCI registry', { reason: 'no_registry' });
  }

  @Post('v1/images')
  @HttpCode(200)
  @Requires('library:create')
  @Audited('image.push')
  async create(
    @Body(new JsonBody(ImageRequest)) request: ImageRequest,
    @CurrentActor() actor: Actor,
  ): Promise<object> {
    return { data: await this.#present(await this.images.create(request, actor)) };
  }

  @Get('v1/images/*')
  @Anonymous()
  @AfterExpiry(BegunService, (begun, actor) => begun.hasCausedPush(actor))
  async find(
    @Param('*') path: string,
    @Query() query: Query_,
    @CurrentActor() actor: Actor | undefined,
  ): Promise<object> {
    const found = await this.images.find(parseImagePath(path, DEFAULTS), archOfQuery(query), actor);
    await this.begun.requireCaused(actor, found);
    // A pull begins here, and here alone stock clients show why it is refused (library contract §6.2). By its hash whoever may push
    // asks whether it is there already (§6.1): that is no pull, and its bytes are refused at their own address.
    if (!found.forPush) await this.door.requirePull(found.image, found.container);
    return { data: await this.#present(found) };
  }

  @Delete('v1/images/*')
  @HttpCode(200)
  @Requires('library:delete')
  @Audited('image.delete')
  async remove(
    @Param('*') path: string,
    @Query() query: Query_,
    @CurrentActor() actor: Actor,
  ): Promise<object> {
    const found = await this.images.remove(parseImagePath(path, DEFAULTS), archOfQuery(query), actor);
    return { data: { ...presentImage(found.image, found.container, []), deleted: true } };
  }

  async #present({ image, container }: FoundImage): Promise<object> {
    return presentImage(image, container, await this.tags.namesOf(image.id));
  }
}

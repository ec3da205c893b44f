import { Body, Controller, Get, HttpCode, Param, Post } from '@nestjs/common';
import { type Actor, ArchTagRequest, TagRequest } from '#libs/contract';
import { AfterExpiry, Audience, Audited, CurrentActor, JsonBody, Requires } from '#libs/server';
import { parseArch } from './archQuery.js';
import { BegunService } from '../uploads/begun.service.js';
import { TagsService, withoutArch } from './tags.service.js';

/** Stock clients list and set tags at the end of a push: the token may have expired during the upload. */
const AfterPush = () =>
  AfterExpiry(BegunService, (begun, actor, { params }) =>
    begun.hasPushedTo(actor, (params as { container: string }).container),
  );

/**
 * Tags (library contract §5 nos. 15–18). Setting one answers exactly 200 (rule 11) and says that one: a container may have
 * thousands.
 */
@Controller()
@Audience('library')
export class TagsController {
  constructor(private readonly tags: TagsService) {}

  @Get('v1/tags/:container')
  @AfterPush()
  async list(@Param('container') container: string, @CurrentActor() actor: Actor): Promise<object> {
    return { data: withoutArch(await this.tags.list(container, actor)) };
  }

  @Post('v1/tags/:container')
  @AfterPush()
  @HttpCode(200)
  @Requires('library:create')
  @Audited('tag.set')
  async set(
    @Param('container') container: string,
    @Body(new JsonBody(TagRequest)) request: TagRequest,
    @CurrentActor() actor: Actor,
  ): Promise<object> {
    const { Tag: tag, ImageID: image } = request;
    await this.tags.set({ container, tag, image, arch: undefined, actor });
    return { data: { [tag]: image } };
  }

  @Get('v2/tags/:container')
  @AfterPush()
  async listByArch(@Param('container') container: string, @CurrentActor() actor: Actor): Promise<object> {
    return { data: await this.tags.list(container, actor) };
  }

  @Post('v2/tags/:container')
  @AfterPush()
  @HttpCode(200)
  @Requires('library:create')
  @Audited('tag.set')
  async setForArch(
    @Param('container') container: string,
    @Body(new JsonBody(ArchTagRequest)) request: ArchTagRequest,
    @CurrentActor() actor: Actor,
  ): Promise<object> {
    const arch = parseArch(request.Arch);
    const { Tag: tag, ImageID: image } = request;
    await this.tags.set({ container, tag, image, arch, actor });
    return { data: { [arch]: { [tag]: image } } };
  }
}

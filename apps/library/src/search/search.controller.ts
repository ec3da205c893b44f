import { Controller, Get, Query } from '@nestjs/common';
import type { Actor } from '#libs/contract';
import { Anonymous, Audience, CurrentActor } from '#libs/server';
import { LIMITS } from '../limits.js';
import { roleIn } from '../policy.js';
import { presentCollection, presentContainer, presentEntity, presentImage } from '../present.js';
import { TagsService } from '../images/tags.service.js';
import { TagsStore } from '../images/tags.store.js';
import { SearchService } from './search.service.js';
import { readSearchQuery } from './searchQuery.js';

/** `GET /v1/search` (library contract §5 no. 29 and §6.4). */
@Controller()
@Audience('library')
export class SearchController {
  constructor(
    private readonly searches: SearchService,
    private readonly tags: TagsService,
    private readonly tagsStore: TagsStore,
  ) {}

  @Get('v1/search')
  @Anonymous()
  async search(
    @Query() query: Readonly<Record<string, unknown>>,
    @CurrentActor() actor: Actor | undefined,
  ): Promise<object> {
    const found = await this.searches.search(readSearchQuery(query), actor);
    const insider = (name: string) => roleIn(actor, name) !== 'stranger';
    const container = await Promise.all(
      found.containers.map(async (each) =>
        // All of them could be half a million, for anybody who asks.
        presentContainer(each, await this.tags.ofContainer(each, LIMITS.tagsInAnswer)),
      ),
    );
    const image = await Promise.all(
      found.images.map(async (each) => {
        const tags = await this.tagsStore.ofImage(each.image.id, LIMITS.tagsInAnswer);
        return presentImage(
          each.image,
          each.container,
          tags.map(({ value }) => value.tag),
        );
      }),
    );
    const entity = found.entities.map((each) => presentEntity(each, insider(each.value.name)));
    const data = { entity, collection: found.collections.map(presentCollection), container, image };
    // Extra keys, which stock clients ignore: whoever asks is told to ask for more, or more narrowly.
    const { more, cut, next } = found;
    return { data, more, cut, ...(next === undefined ? {} : { page: { next } }) };
  }
}

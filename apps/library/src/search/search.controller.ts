import { Controller, Get, Query } from '@nestjs/common';
import type { Actor } from '#libs/contract';
import { DomainError, expected } from '#libs/core';
import { Anonymous, Audience, CurrentActor } from '#libs/server';
import { parseArch } from '../images/archQuery.js';
import { LIMITS } from '../limits.js';
import { roleIn } from '../policy.js';
import { presentCollection, presentContainer, presentEntity, presentImage } from '../present.js';
import { type SearchQuery, SearchService } from './search.service.js';
import { TagsService } from '../images/tags.service.js';
import { TagsStore } from '../images/tags.store.js';

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
    const found = await this.searches.search(readQuery(query), actor);
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
    // An extra key, which stock clients ignore: whoever asks is told to ask more narrowly.
    return { data, more: found.more };
  }
}

function readQuery(query: Readonly<Record<string, unknown>>): SearchQuery {
  const { value, arch, signed } = query;
  if (typeof value !== 'string')
    throw new DomainError('bad_request', expected('one text', 'the search', value), {
      reason: 'invalid_search',
    });
  return { value, arch: readArchs(arch), signed: readSigned(signed) };
}

/** "may be a comma list". */
function readArchs(arch: unknown): readonly string[] | undefined {
  if (arch === undefined || arch === '') return undefined;
  if (typeof arch !== 'string') throw new DomainError('bad_request', expected('a comma list', 'arch', arch));
  return arch.split(',', 32).map(parseArch);
}

function readSigned(signed: unknown): boolean | undefined {
  if (signed === undefined || signed === '') return undefined;
  if (signed === 'true') return true;
  if (signed === 'false') return false;
  throw new DomainError('bad_request', expected('true or false', 'signed', signed));
}

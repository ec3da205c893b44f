import { Controller, Get, Param, Query } from '@nestjs/common';
import type { z } from 'zod';
import { type Actor, type ImageDetailsAnswer, MANAGE_PATH } from '#libs/contract';
import { parseImagePath } from '#libs/core';
import { Anonymous, Audience, CurrentActor } from '#libs/server';
import { DEFAULTS } from '../limits.js';
import { archOfQuery } from './archQuery.js';
import { DetailsService } from './details.service.js';

/** Labels and definition of images, for pages and command lines that show them without pulling. */
@Controller(MANAGE_PATH)
@Audience('library')
@Anonymous()
export class DetailsController {
  constructor(private readonly details: DetailsService) {}

  /** @param ref a tag or a hash */
  @Get('details/:entity/:collection/:container/:ref')
  async find(
    @Param() { entity, collection, container, ref }: Readonly<Record<string, string>>,
    @Query() query: Readonly<Record<string, unknown>>,
    @CurrentActor() actor: Actor | undefined,
  ): Promise<z.infer<typeof ImageDetailsAnswer>> {
    const reference = parseImagePath(`${entity}/${collection}/${container}:${ref}`, DEFAULTS);
    return { data: await this.details.find(reference, archOfQuery(query), actor) };
  }
}

import { Controller, Get, Param, Query } from '@nestjs/common';
import { type Actor, type DownloadsAnswer, DownloadsQuery, MANAGE_PATH } from '#libs/contract';
import { Anonymous, Audience, Checked, CurrentActor } from '#libs/server';
import { type ContainerParams, pathOf } from '../manage/paths.js';
import { DownloadCounts } from './downloadCounts.service.js';

/** How often something was downloaded, day by day. What is public is everybody's to read. */
@Controller(MANAGE_PATH)
@Audience('library')
@Anonymous()
export class DownloadDaysController {
  constructor(private readonly counts: DownloadCounts) {}

  @Get('downloads/:entity/:collection/:container')
  async downloads(
    @Param() params: ContainerParams,
    @Query(new Checked(DownloadsQuery)) query: DownloadsQuery,
    @CurrentActor() actor: Actor | undefined,
  ): Promise<DownloadsAnswer> {
    return { data: await this.counts.of(pathOf(params), query, actor) };
  }
}

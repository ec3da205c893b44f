import { Controller, Get, Param, Query, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { type Actor, DOWNLOAD_PROOF_HEADER } from '#libs/contract';
import { parseImagePath } from '#libs/core';
import { AfterExpiry, Anonymous, Audience, CurrentActor, sendSource } from '#libs/server';
import { archOfQuery } from '../images/archQuery.js';
import { BegunService } from '../uploads/begun.service.js';
import { DownloadsService } from './downloads.service.js';
import { DEFAULTS } from '../limits.js';

/** The bytes of an image (library contract §5 no. 19): 200 in one stream, or the range that was asked for. */
@Controller()
@Audience('library')
export class DownloadsController {
  constructor(private readonly downloads: DownloadsService) {}

  @Get('v1/imagefile/*')
  @Anonymous()
  @AfterExpiry(BegunService, (begun, actor, { headers }) => begun.isDownloading(actor, headers))
  async download(
    @Param('*') path: string,
    @Query() query: Readonly<Record<string, unknown>>,
    @CurrentActor() actor: Actor | undefined,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const reference = parseImagePath(path, DEFAULTS);
    const download = await this.downloads.open(reference, archOfQuery(query), actor, request.headers);
    const { source, etag, proof } = download;
    if (proof !== undefined) reply.header(DOWNLOAD_PROOF_HEADER, proof);
    try {
      await sendSource(request, reply, this.downloads.counted(source), {
        contentType: 'application/octet-stream',
        etag,
      });
    } finally {
      await source.close();
    }
    if (request.method === 'GET' && !/^bytes=[1-9-]/.test(request.headers.range ?? ''))
      await this.downloads.count(download);
  }
}

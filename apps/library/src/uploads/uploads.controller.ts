import { Body, Controller, HttpCode, Param, Post, Put, Query, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import {
  type Actor,
  MultipartAbort,
  MultipartCompletion,
  MultipartRequest,
  PartRequest,
  UploadRequest,
} from '#libs/contract';
import {
  AfterExpiry,
  Audience,
  Audited,
  CurrentActor,
  JsonBody,
  Requires,
  SelfAuthenticated,
} from '#libs/server';
import { BegunService } from './begun.service.js';
import { BeginUploadService } from './beginUpload.service.js';
import { CompleteUploadService } from './completeUpload.service.js';
import { RawUploadService } from './rawUpload.service.js';
import { ReceiveUploadService } from './receiveUpload.service.js';
import { readGrant } from './uploadUrls.js';

/** What an upload needs to come to its end. */
const DuringUpload = () =>
  AfterExpiry(BegunService, (begun, actor, { params }) =>
    begun.isUploading(actor, (params as { image: string }).image),
  );

/** Uploads (library contract §5 nos. 20–28). */
@Controller()
@Audience('library')
export class UploadsController {
  constructor(
    private readonly begin: BeginUploadService,
    private readonly receiving: ReceiveUploadService,
    private readonly completing: CompleteUploadService,
    private readonly raw: RawUploadService,
  ) {}

  @Post('v1/imagefile/:image')
  @HttpCode(200)
  @Requires('library:create')
  @Audited('image.push')
  async whole(
    @Param('image') image: string,
    @Req() request: FastifyRequest,
    @CurrentActor() actor: Actor,
  ): Promise<object> {
    await this.raw.receive(image, request.raw, actor);
    return { data: {} };
  }

  @Post('v2/imagefile/:image')
  @HttpCode(200)
  @Requires('library:create')
  @Audited('image.push')
  async start(
    @Param('image') image: string,
    @Body(new JsonBody(UploadRequest)) request: UploadRequest,
    @CurrentActor() actor: Actor,
  ): Promise<object> {
    const sha256 = request.sha256sum ?? '';
    return {
      data: { uploadURL: await this.begin.startSingle(image, { size: request.filesize, sha256 }, actor) },
    };
  }

  @Put('v2/imagefile/:image/_complete')
  @DuringUpload()
  @HttpCode(200)
  @Requires('library:create')
  @Audited('image.push')
  async complete(@Param('image') image: string, @CurrentActor() actor: Actor): Promise<object> {
    return { data: await this.completing.completeSingle(image, actor) };
  }

  @Post('v2/imagefile/:image/_multipart')
  @HttpCode(200)
  @Requires('library:create')
  @Audited('image.push')
  async startMultipart(
    @Param('image') image: string,
    @Body(new JsonBody(MultipartRequest)) request: MultipartRequest,
    @CurrentActor() actor: Actor,
  ): Promise<object> {
    const { filesize: size, resume, uploadID: earlier } = request;
    const started = await this.begin.startMultipart(
      image,
      { size, resume, ...(typeof earlier === 'string' ? { earlier } : {}) },
      actor,
    );
    const { id: uploadID, totalParts, partSize, received } = started;
    // A map of strings (rule 17). The whole is hashed here: clients need not hash every part as S3 would want it.
    const options: Record<string, string> = { s3compliant: 'false' };
    if (resume)
      options['received'] = JSON.stringify(
        Object.fromEntries(received.map(({ number, token }) => [number, token])),
      );
    return { data: { uploadID, totalParts, partSize, options } };
  }

  @Put('v2/imagefile/:image/_multipart')
  @DuringUpload()
  @HttpCode(200)
  @Requires('library:create')
  @Audited('image.push')
  async part(
    @Param('image') image: string,
    @Body(new JsonBody(PartRequest)) request: PartRequest,
    @CurrentActor() actor: Actor,
  ): Promise<object> {
    const { uploadID, partNumber } = request;
    return { data: { presignedURL: await this.begin.partAddress(image, uploadID, partNumber, actor) } };
  }

  @Put('v2/imagefile/:image/_multipart_complete')
  @DuringUpload()
  @HttpCode(200)
  @Requires('library:create')
  @Audited('image.push')
  async completeMultipart(
    @Param('image') image: string,
    @Body(new JsonBody(MultipartCompletion, { limit: 4 * 1024 * 1024 })) request: MultipartCompletion,
    @CurrentActor() actor: Actor,
  ): Promise<object> {
    return { data: await this.completing.completeMultipart(image, request, actor) };
  }

  @Put('v2/imagefile/:image/_multipart_abort')
  @DuringUpload()
  @HttpCode(200)
  @Requires('library:create')
  @Audited('image.push')
  async abort(
    @Param('image') image: string,
    @Body(new JsonBody(MultipartAbort)) request: MultipartAbort,
    @CurrentActor() actor: Actor,
  ): Promise<object> {
    await this.completing.abort(image, request.uploadID, actor);
    return { data: {} };
  }

  /** A signed address: exactly 200 and an ETag (rule 15); the token of the client is not looked at (rule 14). */
  @Put('v2/upload/:upload/:part')
  @HttpCode(200)
  @SelfAuthenticated()
  async receive(
    @Param('upload') upload: string,
    @Param('part') part: string,
    @Query() query: Readonly<Record<string, unknown>>,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<object> {
    const { grant, signature } = readGrant({ upload, part, query });
    void reply.header('etag', await this.receiving.receive(grant, signature, request.raw));
    return {};
  }
}

import { Injectable } from '@nestjs/common';
import type { IncomingMessage } from 'node:http';
import type { Actor } from '#libs/contract';
import { DomainError, expected } from '#libs/core';
import { BeginUploadService } from './beginUpload.service.js';
import { CompleteUploadService } from './completeUpload.service.js';
import { FinishUploadService } from './finishUpload.service.js';
import { OpenUploadsService } from './openUploads.service.js';
import { ReceiveUploadService } from './receiveUpload.service.js';

/** An upload that is one request. */
@Injectable()
export class RawUploadService {
  constructor(
    private readonly open: OpenUploadsService,
    private readonly begin: BeginUploadService,
    private readonly receiving: ReceiveUploadService,
    private readonly completing: CompleteUploadService,
    private readonly finishing: FinishUploadService,
  ) {}

  /** Announcement, bytes and end in one request (no. 20). Nothing of it stays when it fails. */
  async receive(imageId: string, body: IncomingMessage, actor: Actor): Promise<void> {
    const found = await this.open.findForWriting(imageId, actor);
    const size = Number(body.headers['content-length'] ?? Number.NaN);
    if (!Number.isSafeInteger(size) || size < 1)
      throw new DomainError(
        'bad_request',
        expected('a length above 0', 'Content-Length', body.headers['content-length']),
        {
          reason: 'length_required',
        },
      );
    const upload = await this.begin.start(found, { kind: 'single', size, partSize: size }, actor);
    try {
      await this.receiving.receivePart(upload, 1, body);
      await this.open.locked(imageId, () => this.completing.store(upload, found, actor));
    } catch (error) {
      await this.finishing.end(upload.id);
      throw error;
    }
  }
}

import { Inject, Injectable } from '@nestjs/common';
import { BlobStore, partCount } from '#libs/blobs';
import type { Actor } from '#libs/contract';
import { DomainError, newObjectId } from '#libs/core';
import { ImagesService } from '../images/images.service.js';
import { LIBRARY_LIMITS, type LibraryLimits } from '../limits.js';
import { CompleteUploadService, WRONG_BYTES } from './completeUpload.service.js';
import { OpenUploadsService } from './openUploads.service.js';
import { type PartDocument, UploadsStore } from './uploads.store.js';

/** How a client has to send a file. */
export interface StartedUpload {
  readonly id: string;
  readonly partSize: number;
  readonly totalParts: number;
  /** Parts that are there already, of an upload that goes on. */
  readonly received: readonly PartDocument[];
}

/**
 * Files of which nothing is left to send. Stock clients know nothing of parts that are here already, but they send as many as they are
 * told: none, when somebody has just pushed the same file, or the same account has sent all of it and was cut off before the end. That
 * is made up for here: wrong bytes are sent again, and the client never hears of them (ADR 30).
 */
@Injectable()
export class WholeUploadService {
  constructor(
    @Inject(LIBRARY_LIMITS) private readonly limits: LibraryLimits,
    private readonly blobs: BlobStore,
    private readonly images: ImagesService,
    private readonly open: OpenUploadsService,
    private readonly uploads: UploadsStore,
    private readonly completing: CompleteUploadService,
  ) {}

  /** An upload without parts, whose client goes on to the end at once; undefined when there is something to send. */
  find(imageId: string, size: number, actor: Actor): Promise<StartedUpload | undefined> {
    return this.open.locked(imageId, async () => {
      const found = await this.open.findForWriting(imageId, actor);
      if (await this.images.isStored(found.image)) return this.#nothingLeft(newObjectId());
      for (const upload of await this.open.ofImage(imageId)) {
        const { kind, account } = upload.value;
        if (kind !== 'multipart' || upload.value.size !== size || account !== actor.accountId) continue;
        if (this.blobs.isActive(upload.id)) continue;
        if ((await this.uploads.parts(upload.id)).length < partCount(upload.value)) continue;
        try {
          await this.completing.store(upload, found, actor);
          return this.#nothingLeft(upload.id);
        } catch (error) {
          if (!(error instanceof DomainError && WRONG_BYTES.has(error.reason))) throw error;
        }
      }
      return undefined;
    });
  }

  #nothingLeft(id: string): StartedUpload {
    return { id, partSize: this.limits.partBytes, totalParts: 0, received: [] };
  }
}

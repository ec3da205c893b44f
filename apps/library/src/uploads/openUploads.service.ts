import { Inject, Injectable } from '@nestjs/common';
import { BlobStore, type BlobUpload } from '#libs/blobs';
import type { Actor } from '#libs/contract';
import { DomainError, KeyedLock } from '#libs/core';
import { type FoundImage, ImagesService } from '../images/images.service.js';
import { LIBRARY_LIMITS, type LibraryLimits } from '../limits.js';
import { isWriter } from '../policy.js';
import { EntitiesStore } from '../tree/entities.store.js';
import { BegunService } from './begun.service.js';
import { FinishUploadService } from './finishUpload.service.js';
import { type Upload, UploadsStore } from './uploads.store.js';

/** The uploads that are under way: finding them for whoever may go on with them. */
@Injectable()
export class OpenUploadsService {
  readonly #locks = new KeyedLock();

  constructor(
    @Inject(LIBRARY_LIMITS) private readonly limits: LibraryLimits,
    private readonly blobs: BlobStore,
    private readonly images: ImagesService,
    private readonly uploads: UploadsStore,
    private readonly entities: EntitiesStore,
    private readonly finishing: FinishUploadService,
    private readonly begun: BegunService,
  ) {}

  /** One end of an upload of an image at a time. */
  locked<T>(imageId: string, work: () => Promise<T>): Promise<T> {
    return this.#locks.run(imageId, work);
  }

  /**
   * As {@link ImagesService.findForWriting}. Whoever began an upload here and may not write to the entity any more has sent in
   * vain: nothing of it stays.
   */
  async findForWriting(imageId: string, actor: Actor): Promise<FoundImage> {
    try {
      return await this.images.findForWriting(imageId, actor);
    } catch (error) {
      const own = (await this.ofImage(imageId)).filter(({ value }) => value.account === actor.accountId);
      for (const { id, value } of own) {
        const entity = await this.entities.get(value.entity);
        if (entity && !isWriter(actor, entity.value.name)) await this.finishing.end(id);
      }
      throw error;
    }
  }

  /** Those of an image, newest first. */
  async ofImage(imageId: string): Promise<Upload[]> {
    const uploads = await this.uploads.ofImage(imageId, this.limits.uploadsPerImage);
    return uploads.filter(({ value }) => value.state === 'open');
  }

  /** One that the actor may go on with. @throws DomainError `conflict` when it has ended, and as {@link findForWriting} */
  async require(imageId: string, uploadId: string, actor: Actor): Promise<Upload> {
    await this.findForWriting(imageId, actor);
    const upload = await this.uploads.get(uploadId);
    if (upload?.value.image !== imageId || upload.value.state !== 'open') throw closed();
    this.begun.requireBegun(actor, upload);
    return upload;
  }

  /** The place of its bytes. */
  blobOf({ id, value: { size, partSize } }: Upload): BlobUpload {
    return this.blobs.upload({ id, size, partSize });
  }
}

/** Never 404: that would make stock clients begin again in one piece, from the wrong place (library contract §6.1). */
export function closed(): DomainError {
  return new DomainError('conflict', 'The upload has ended or never began', {
    reason: 'upload_closed',
    remedy: 'Push again.',
  });
}

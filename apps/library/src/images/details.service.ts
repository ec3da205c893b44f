import { Injectable } from '@nestjs/common';
import { BlobStore } from '#libs/blobs';
import type { Actor, ImageDetails } from '#libs/contract';
import { DomainError, type ImageReference, parseDigest } from '#libs/core';
import { readSif } from '#libs/sif';
import { missing } from '../missing.js';
import { enforce, mayDownload } from '../policy.js';
import { containerSubject } from '../tree/subjects.js';
import { detailsOf } from './imageDetails.js';
import { accessTo } from './imageFacts.js';
import { ImagesService } from './images.service.js';

/** What images say of themselves, read from their files when somebody asks: so it is there for all, whenever they came. */
@Injectable()
export class DetailsService {
  constructor(
    private readonly images: ImagesService,
    private readonly blobs: BlobStore,
  ) {}

  /**
   * For whoever may have the bytes.
   * @throws DomainError `not_found`, `forbidden`, `gone` for damaged bytes, `unprocessable` for what is no image that can be read
   */
  async find(
    reference: ImageReference,
    arch: string | undefined,
    actor: Actor | undefined,
  ): Promise<ImageDetails> {
    const { image, container } = await this.images.findForReading(reference, arch, actor);
    const { hash, uploaded, format } = image.value;
    enforce(mayDownload(actor, containerSubject(container)), () => missing('image', hash));
    if (!uploaded) throw missing('image', hash);
    if (format !== 'sif')
      throw new DomainError('unprocessable', 'What was uploaded here is not an image in the SIF format', {
        reason: 'not_an_image',
      });
    const blob = await this.blobs.open(parseDigest(hash));
    try {
      return await detailsOf(await readSif(accessTo(blob)));
    } finally {
      await blob.close();
    }
  }
}

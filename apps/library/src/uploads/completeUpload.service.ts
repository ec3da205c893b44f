import { Inject, Injectable } from '@nestjs/common';
import { BlobStore, partCount } from '#libs/blobs';
import type { Actor, MultipartCompletion, UploadCompletion } from '#libs/contract';
import { type Clock, DomainError } from '#libs/core';
import { CLOCK, TokenVerifier } from '#libs/server';
import { type FoundImage, ImagesService } from '../images/images.service.js';
import { LIBRARY_LIMITS, type LibraryLimits } from '../limits.js';
import { missing } from '../missing.js';
import { enforce, mayWrite } from '../policy.js';
import type { Container } from '../tree/containers.store.js';
import { EntitiesStore } from '../tree/entities.store.js';
import { containerSubject } from '../tree/subjects.js';
import { BegunService } from './begun.service.js';
import { FinishUploadService } from './finishUpload.service.js';
import { closed, OpenUploadsService } from './openUploads.service.js';
import { type PartDocument, type Upload, type UploadDocument, UploadsStore } from './uploads.store.js';

/** The end of an upload, as its client asks for it: the image, or nothing. */
@Injectable()
export class CompleteUploadService {
  /** Connections from before are gone. */
  readonly #startedAt: number;

  constructor(
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(LIBRARY_LIMITS) private readonly limits: LibraryLimits,
    private readonly blobs: BlobStore,
    private readonly verifier: TokenVerifier,
    private readonly images: ImagesService,
    private readonly open: OpenUploadsService,
    private readonly uploads: UploadsStore,
    private readonly entities: EntitiesStore,
    private readonly finishing: FinishUploadService,
    private readonly begun: BegunService,
  ) {
    this.#startedAt = clock.now().getTime();
  }

  /** Ends an upload in one piece (no. 23). Repeating it is fine. */
  async completeSingle(imageId: string, actor: Actor): Promise<UploadCompletion> {
    return this.open.locked(imageId, async () => {
      const found = await this.open.findForWriting(imageId, actor);
      const { image, container } = found;
      if (await this.images.isStored(image)) return this.#completion(image.id, container);
      for (const upload of await this.uploads.ofImage(imageId, this.limits.uploadsPerImage)) {
        const { kind, state } = upload.value;
        if (kind !== 'single' || state !== 'open' || !this.begun.mayGoOnWith(actor, upload)) continue;
        if (!(await this.uploads.part(upload.id, 1))) continue;
        await this.store(upload, found, actor);
        return this.#completion(image.id, container);
      }
      throw new DomainError('conflict', 'Nothing was uploaded for this image', {
        reason: 'nothing_uploaded',
      });
    });
  }

  /** Ends an upload in several pieces (no. 27). Repeating it is fine. */
  async completeMultipart(
    imageId: string,
    request: MultipartCompletion,
    actor: Actor,
  ): Promise<UploadCompletion> {
    return this.open.locked(imageId, async () => {
      const found = await this.open.findForWriting(imageId, actor);
      const { image, container } = found;
      const upload = await this.uploads.get(request.uploadID);
      if (upload?.value.image !== imageId || upload.value.state !== 'open') {
        if (await this.images.isStored(image)) return this.#completion(image.id, container);
        throw closed();
      }
      this.begun.requireBegun(actor, upload);
      checkParts(upload.value, await this.uploads.parts(upload.id), request);
      await this.store(upload, found, actor);
      return this.#completion(image.id, container);
    });
  }

  /** Gives an upload up (no. 28). Repeating it is fine. */
  async abort(imageId: string, uploadId: string, actor: Actor): Promise<void> {
    await this.open.findForWriting(imageId, actor);
    const upload = await this.uploads.get(uploadId);
    if (upload?.value.image !== imageId || upload.value.state !== 'open') return;
    this.begun.requireBegun(actor, upload);
    await this.finishing.end(uploadId);
  }

  /** Stores what has arrived, in the lock of its image. @throws DomainError as {@link FinishUploadService.store} */
  async store(upload: Upload, found: FoundImage, actor: Actor): Promise<void> {
    const requireAllowed = () => this.#requireStillAllowed(found, actor);
    try {
      await this.finishing.store(upload, this.open.blobOf(upload), actor, requireAllowed);
    } catch (error) {
      // Wrong bytes do not become right, and lost rights do not come back: the next push begins anew.
      if (error instanceof DomainError && (WRONG_BYTES.has(error.reason) || REFUSED.has(error.code)))
        await this.finishing.end(upload.id);
      throw error;
    }
  }

  /** Right before an image becomes visible: the bytes took their time, and so may have checking them. */
  async #requireStillAllowed({ image, container }: FoundImage, actor: Actor): Promise<void> {
    const present = await this.verifier.again(actor);
    enforce(mayWrite(present, containerSubject(container)), () => missing('image', image.id));
  }

  /**
   * Whether nobody will send anything for this upload of an image that is there. Its client may still ask to complete it, and
   * gets the same answer. One whose bytes are about to be sent goes on: stock clients do not understand otherwise.
   */
  async #isSettled({ id, value }: Upload): Promise<boolean> {
    if (this.blobs.isActive(id)) return false;
    const last = await this.uploads.lastArrival(id);
    if (value.kind === 'single') return last !== undefined || value.createdAt < this.#startedAt;
    const quiet = this.clock.now().getTime() - this.limits.quietUpload;
    return (last ?? value.createdAt) < Math.max(quiet, this.#startedAt);
  }

  /** The image is there: what other uploads of it hold is given back, and the client learns what its entity uses. */
  async #completion(imageId: string, container: Container): Promise<UploadCompletion> {
    for (const upload of await this.uploads.ofImage(imageId, this.limits.uploadsPerImage))
      if (upload.value.state === 'open' && (await this.#isSettled(upload)))
        // The image is there, and its client learns that; what cannot be given back now is left to the sweep.
        await this.finishing.end(upload.id).catch(() => undefined);
    const entity = await this.entities.get(container.value.entity);
    const { entityName, collectionName, name } = container.value;
    return {
      quota: { quotaTotal: entity?.value.quota ?? 0, quotaUsage: entity?.value.size ?? 0 },
      containerUrl: `library/${entityName}/${collectionName}/${name}`,
    };
  }
}

/** What makes bytes worthless. */
export const WRONG_BYTES = new Set(['wrong_digest', 'wrong_length', 'upload_gone']);
const REFUSED: ReadonlySet<string> = new Set(['unauthorized', 'forbidden', 'not_found']);

/** @throws DomainError `conflict` when a part is missing, or was replaced after the client got its token */
function checkParts(
  upload: UploadDocument,
  parts: readonly PartDocument[],
  request: MultipartCompletion,
): void {
  const tokens = new Map(parts.map(({ number, token }) => [number, token]));
  const named = new Map(
    request.completedParts.map(({ partNumber, token }) => [partNumber, token.replace(/^"|"$/g, '')]),
  );
  for (let number = 1; number <= partCount(upload); number += 1) {
    const token = tokens.get(number);
    const given = named.get(number);
    if (token === undefined || given === undefined)
      throw new DomainError('conflict', `Part ${number} of ${partCount(upload)} is missing`, {
        reason: 'part_missing',
      });
    // Something on the way may have removed the ETag; the hash over everything is checked in any case.
    if (given !== '' && given !== token)
      throw new DomainError('conflict', `Part ${number} was sent again after its token ${given} was given`, {
        reason: 'part_replaced',
      });
  }
}

import { Inject, Injectable } from '@nestjs/common';
import { BlobStore, type BlobUpload } from '#libs/blobs';
import { type Clock, DomainError, parseDigest } from '#libs/core';
import { CLOCK } from '#libs/server';
import { ContainersStore } from './containers.store.js';
import { ContentsStore } from './contents.store.js';
import { type Change, commitPlan, DATABASE, type Database } from './database.store.js';
import { EntitiesStore } from './entities.store.js';
import { type ImageFacts, readImageFacts } from './imageFacts.js';
import { ImagesStore } from './images.store.js';
import { LIBRARY_LIMITS, type LibraryLimits } from './limits.js';
import { type Upload, UploadsStore } from './uploads.store.js';
import { UsageService } from './usage.service.js';

interface Outcome {
  readonly writes: readonly Change[];
  /** The blob is nobody's any more. */
  readonly result: boolean;
}
const NOTHING: Outcome = { writes: [], result: false };

/**
 * The end of an upload, good or bad. The order makes a crash leave garbage and never an image without bytes: claim the
 * content, make the blob durable, then say in one commit that the image is there. What is interrupted between is finished
 * or taken back at the next start.
 */
@Injectable()
export class FinishUploadService {
  constructor(
    @Inject(DATABASE) private readonly database: Database,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(LIBRARY_LIMITS) private readonly limits: LibraryLimits,
    private readonly blobs: BlobStore,
    private readonly uploads: UploadsStore,
    private readonly images: ImagesStore,
    private readonly containers: ContainersStore,
    private readonly entities: EntitiesStore,
    private readonly contents: ContentsStore,
    private readonly usage: UsageService,
  ) {}

  /**
   * Checks length and hash, stores, and makes the image visible. Acknowledge only when this has resolved.
   * @throws DomainError `unprocessable` when the bytes are not what was promised, `gone`, `out_of_space`, `conflict`
   */
  async store(upload: Upload, blob: BlobUpload): Promise<void> {
    const digest = parseDigest(upload.value.hash);
    await blob.verify(digest);
    const facts = await blob.read(readImageFacts);
    await commitPlan(this.database, () => this.#claiming(upload.id));
    try {
      await blob.commit(digest);
    } catch (error) {
      await this.takeBack(upload.id);
      throw error;
    }
    await this.publish(upload.id, facts);
  }

  /** The blob is there: makes the image visible. Also for an upload that a crash interrupted here. */
  async publish(uploadId: string, facts: ImageFacts): Promise<void> {
    const unused = await commitPlan(this.database, () => this.#publication(uploadId, facts));
    const upload = await this.uploads.get(uploadId);
    if (!upload) return;
    if (unused) await this.usage.discard(upload.value.hash);
    await this.uploads.deleteParts(uploadId);
  }

  /** The blob could not be stored: the upload is open again. */
  async takeBack(uploadId: string): Promise<void> {
    let hash = '';
    const unused = await commitPlan(this.database, async () => {
      const upload = await this.uploads.get(uploadId);
      if (upload?.value.state !== 'storing') return NOTHING;
      ({ hash } = upload.value);
      const release = await this.usage.releasing(hash);
      return {
        writes: [this.uploads.replacement(upload, { ...upload.value, state: 'open' }), ...release.changes],
        result: release.last,
      };
    });
    if (unused) await this.usage.discard(hash);
  }

  /** Gives an upload up: its space, its bytes and its memory. One that is just being stored stays. Idempotent. */
  async end(uploadId: string): Promise<void> {
    const shape = await commitPlan(this.database, async () => {
      const upload = await this.uploads.get(uploadId);
      if (!upload || upload.value.state === 'storing') return { writes: [], result: undefined };
      if (upload.value.state !== 'open') return { writes: [], result: upload.value };
      const entity = await this.entities.get(upload.value.entity);
      const { reserved } = upload.value;
      const writes = [this.uploads.replacement(upload, { ...upload.value, state: 'ended', reserved: 0 })];
      if (entity && reserved > 0) writes.push(this.entities.holding(entity, -reserved));
      return { writes, result: upload.value };
    });
    if (shape === undefined) return;
    await this.blobs.upload({ id: uploadId, size: shape.size, partSize: shape.partSize }).cancel();
    await this.uploads.deleteParts(uploadId);
    await this.uploads.delete(uploadId);
  }

  async #claiming(uploadId: string): Promise<{ writes: readonly Change[]; result: undefined }> {
    const upload = await this.uploads.get(uploadId);
    if (upload?.value.state !== 'open')
      throw new DomainError('conflict', 'The upload has ended', { reason: 'upload_closed' });
    const { hash, size } = upload.value;
    return {
      writes: [
        this.uploads.replacement(upload, { ...upload.value, state: 'storing' }),
        await this.contents.claim(hash, size),
      ],
      result: undefined,
    };
  }

  async #publication(uploadId: string, facts: ImageFacts): Promise<Outcome> {
    const upload = await this.uploads.get(uploadId);
    if (upload?.value.state !== 'storing') return NOTHING;
    const { hash, size, reserved } = upload.value;
    const complete = this.uploads.replacement(upload, {
      ...upload.value,
      state: 'complete',
      reserved: 0,
      expiresAt: this.clock.now().getTime() + this.limits.uploadMemory,
    });
    const image = await this.images.get(upload.value.image);
    const container = await this.containers.get(upload.value.container);
    const entity = await this.entities.get(upload.value.entity);
    if (!entity || !container) throw new Error(`The upload ${uploadId} belongs to nothing`);
    if (!image || image.value.uploaded) {
      // Deleted meanwhile, or another upload of the same file was faster: only the claim and the reservation are left.
      const release = await this.usage.releasing(hash);
      const writes = [complete, ...release.changes];
      if (reserved > 0) writes.push(this.entities.holding(entity, -reserved));
      return { writes, result: release.last };
    }
    const { format, arch, signed, encrypted, fingerprints } = facts;
    const found = {
      format,
      signed,
      encrypted,
      fingerprints: [...fingerprints],
      ...(arch === undefined ? {} : { arch }),
    };
    const counted = await this.usage.adding({ entity, container, hash, size }, { claimed: true, reserved });
    return {
      writes: [
        complete,
        this.images.replacement(image, { ...image.value, ...found, size, uploaded: true }),
        ...counted,
      ],
      result: false,
    };
  }
}

import { Inject, Injectable } from '@nestjs/common';
import { BlobStore, partCount } from '#libs/blobs';
import type { Actor } from '#libs/contract';
import { type Clock, DomainError, expected, newObjectId } from '#libs/core';
import { CLOCK } from '#libs/server';
import { commitPlan, DATABASE, type Database, TryAgain } from '../database.store.js';
import type { FoundImage } from '../images/images.service.js';
import { ImagesStore } from '../images/images.store.js';
import { LIBRARY_LIMITS, type LibraryLimits } from '../limits.js';
import { missing } from '../missing.js';
import { ContentsStore } from '../storage/contents.store.js';
import { overQuota } from '../storage/quota.js';
import { UsageService } from '../storage/usage.service.js';
import { EntitiesStore } from '../tree/entities.store.js';
import { BegunService } from './begun.service.js';
import { FinishUploadService } from './finishUpload.service.js';
import { closed, OpenUploadsService } from './openUploads.service.js';
import { type Upload, type UploadDocument, UploadsStore } from './uploads.store.js';
import { UploadUrls } from './uploadUrls.js';
import { type StartedUpload, WholeUploadService } from './wholeUpload.service.js';

/** The beginning of an upload: what it takes is reserved, and the client learns where the bytes go. */
@Injectable()
export class BeginUploadService {
  constructor(
    @Inject(DATABASE) private readonly database: Database,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(LIBRARY_LIMITS) private readonly limits: LibraryLimits,
    private readonly blobs: BlobStore,
    private readonly urls: UploadUrls,
    private readonly open: OpenUploadsService,
    private readonly uploads: UploadsStore,
    private readonly images: ImagesStore,
    private readonly entities: EntitiesStore,
    private readonly usage: UsageService,
    private readonly contents: ContentsStore,
    private readonly finishing: FinishUploadService,
    private readonly begun: BegunService,
    private readonly whole: WholeUploadService,
  ) {}

  /** One piece (library contract §5 no. 21). @returns the address that the bytes are sent to */
  async startSingle(
    imageId: string,
    request: { size: number; sha256: string },
    actor: Actor,
  ): Promise<string> {
    const found = await this.open.findForWriting(imageId, actor);
    const { hash } = found.image.value;
    if (request.sha256 !== '' && `sha256.${request.sha256.toLowerCase()}` !== hash)
      throw new DomainError('unprocessable', expected(hash, 'the announced hash', request.sha256), {
        reason: 'wrong_digest',
      });
    const upload = await this.start(
      found,
      { kind: 'single', size: request.size, partSize: request.size },
      actor,
    );
    return this.#addressOf(upload.id, 1, actor);
  }

  /**
   * Several pieces (no. 24); none, when all bytes are here: then the client goes on to the end at once. `resume` goes on with an upload of the same file by the same account, if there is one: with `earlier`,
   * which only whoever began it can name, in any case, otherwise with one for which nothing arrives at this moment.
   */
  async startMultipart(
    imageId: string,
    request: { readonly size: number; readonly resume: boolean; readonly earlier?: string },
    actor: Actor,
  ): Promise<StartedUpload> {
    const found = await this.open.findForWriting(imageId, actor);
    const { size, resume } = request;
    const whole = resume ? undefined : await this.whole.find(imageId, size, actor);
    if (whole !== undefined) return whole;
    const known = resume ? await this.#resumed(found, request, actor) : undefined;
    const partSize = Math.max(this.limits.partBytes, Math.ceil(size / this.limits.parts));
    const upload = known ?? (await this.start(found, { kind: 'multipart', size, partSize }, actor));
    return {
      id: upload.id,
      partSize: upload.value.partSize,
      totalParts: partCount(upload.value),
      received: known ? await this.uploads.parts(known.id) : [],
    };
  }

  /** The address of one part (no. 25). The same part may be asked for again (case 45). */
  async partAddress(imageId: string, uploadId: string, number: number, actor: Actor): Promise<string> {
    const { id, value } = await this.open.require(imageId, uploadId, actor);
    if (!Number.isSafeInteger(number) || number < 1 || number > partCount(value))
      throw new DomainError('bad_request', expected(`1 to ${partCount(value)}`, 'partNumber', number), {
        reason: 'invalid_part_number',
      });
    return this.#addressOf(id, number, actor);
  }

  /**
   * Claims the content and reserves its bytes, before the first of them comes.
   * @throws DomainError `out_of_space`, `too_many_requests`, `not_found`
   */
  async start(
    { image, container }: FoundImage,
    shape: Pick<UploadDocument, 'kind' | 'size' | 'partSize'>,
    actor: Actor,
  ): Promise<Upload> {
    await this.blobs.checkSpace(shape.size);
    const idle = await this.#idleUploads(image.id, actor);
    const id = newObjectId();
    const now = this.clock.now().getTime();
    await commitPlan(this.database, async () => {
      const entity = await this.entities.get(container.value.entity);
      if (!entity) throw new DomainError('not_found', `There is no entity ${container.value.entityName}`);
      const { hash } = image.value;
      const short = await this.usage.shortage(entity, actor.username, { hash, size: shape.size });
      if (short !== undefined) {
        // What an interrupted push of the same file still holds makes room for this one.
        const dead = idle.pop();
        if (!dead) throw overQuota(short);
        await this.finishing.end(dead.id);
        throw new TryAgain();
      }
      const reserved = (await this.usage.isHeld(entity, hash)) ? 0 : shape.size;
      const upload: UploadDocument = {
        image: image.id,
        container: container.id,
        entity: entity.id,
        hash,
        ...shape,
        state: 'open',
        reserved,
        accountReserved: reserved,
        account: actor.accountId,
        username: actor.username,
        token: actor.tokenId,
        originToken: actor.originTokenId,
        ...(actor.keyId === undefined ? {} : { tokenKey: actor.keyId }),
        ...(actor.via === undefined ? {} : { via: actor.via }),
        createdAt: now,
        expiresAt: now + this.limits.uploadIdle,
      };
      const writes = [
        this.uploads.creation(id, upload),
        await this.contents.claim(upload.hash, upload.size),
        ...(await this.usage.reserving(entity, actor.username, reserved)),
      ];
      return { writes, result: undefined };
    });
    // Whoever removes the image at this moment ends the uploads that are there behind that: it sees this one, or this sees it.
    if (!(await this.images.get(image.id))) {
      await this.finishing.end(id);
      throw missing('image', image.id);
    }
    const upload = await this.uploads.get(id);
    if (!upload) throw closed();
    return upload;
  }

  /**
   * Open uploads of the image by the same account for which nothing arrives at this moment, newest first.
   * @throws DomainError `too_many_requests` when too many are under way
   */
  async #idleUploads(imageId: string, actor: Actor): Promise<Upload[]> {
    const open = await this.open.ofImage(imageId);
    const idle = open.filter(
      ({ id, value }) => value.account === actor.accountId && !this.blobs.isActive(id),
    );
    if (open.length < this.limits.uploadsPerImage) return idle;
    const oldest = idle.pop();
    if (!oldest)
      throw new DomainError(
        'too_many_requests',
        `Expected at most ${this.limits.uploadsPerImage} uploads of one image at a time`,
        {
          reason: 'too_many_uploads',
        },
      );
    await this.finishing.end(oldest.id);
    return idle;
  }

  /** An upload to go on with. From now on it is this token's: that of before may have expired, or been revoked. */
  async #resumed(
    { image }: FoundImage,
    request: { readonly size: number; readonly earlier?: string },
    actor: Actor,
  ): Promise<Upload | undefined> {
    const { tokenId: token, originTokenId: originToken, keyId: tokenKey, via } = actor;
    return commitPlan(this.database, async () => {
      const upload = await this.#resumable(image.id, request, actor);
      if (upload === undefined || upload.value.token === token) return { writes: [], result: upload };
      const { via: _, tokenKey: __, ...rest } = upload.value;
      const value = {
        ...rest,
        token,
        originToken,
        ...(tokenKey === undefined ? {} : { tokenKey }),
        ...(via === undefined ? {} : { via }),
      };
      return { writes: [this.uploads.replacement(upload, value)], result: upload };
    });
  }

  async #resumable(
    imageId: string,
    { size, earlier }: { readonly size: number; readonly earlier?: string },
    actor: Actor,
  ): Promise<Upload | undefined> {
    const own = (await this.open.ofImage(imageId)).filter(
      ({ value }) => value.kind === 'multipart' && value.size === size && value.account === actor.accountId,
    );
    return own.find(({ id }) => id === earlier) ?? own.find(({ id }) => !this.blobs.isActive(id));
  }

  #addressOf(upload: string, part: number, actor: Actor): string {
    const expires = Math.floor(this.begun.lastMoment(actor) / 1000);
    return this.urls.sign({ upload, part, expires });
  }
}

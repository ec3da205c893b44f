import { Inject, Injectable } from '@nestjs/common';
import type { IncomingMessage } from 'node:http';
import { BlobStore, type BlobUpload, partCount, type PartWriter } from '#libs/blobs';
import type { Actor, MultipartCompletion, UploadCompletion } from '#libs/contract';
import {
  type Clock,
  DomainError,
  expected,
  KeyedLock,
  newObjectId,
  newSecret,
  parseDigest,
} from '#libs/core';
import { CLOCK, Metrics, receiveBody, TokenVerifier } from '#libs/server';
import { BegunService } from './begun.service.js';
import type { Container } from '../tree/containers.store.js';
import { ContentsStore } from '../storage/contents.store.js';
import { commitPlan, DATABASE, type Database, TryAgain } from '../database.store.js';
import { EntitiesStore } from '../tree/entities.store.js';
import { FinishUploadService } from './finishUpload.service.js';
import { type FoundImage, ImagesService } from '../images/images.service.js';
import { LIBRARY_LIMITS, type LibraryLimits } from '../limits.js';
import { missing } from '../missing.js';
import { enforce, isWriter, mayWrite } from '../policy.js';
import { containerSubject } from '../tree/subjects.js';
import { type PartDocument, type Upload, type UploadDocument, UploadsStore } from './uploads.store.js';
import { type UploadGrant, UploadUrls } from './uploadUrls.js';
import { overQuota, UsageService } from '../storage/usage.service.js';

/** How a client has to send a file. */
export interface StartedUpload {
  readonly id: string;
  readonly partSize: number;
  readonly totalParts: number;
  /** Parts that are there already, of an upload that goes on. */
  readonly received: readonly PartDocument[];
}

/** Uploads: from the announcement to the image. */
@Injectable()
export class UploadsService {
  readonly #locks = new KeyedLock();
  /** Connections from before are gone. */
  readonly #startedAt: number;
  readonly #received;

  constructor(
    metrics: Metrics,
    @Inject(DATABASE) private readonly database: Database,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(LIBRARY_LIMITS) private readonly limits: LibraryLimits,
    private readonly blobs: BlobStore,
    private readonly urls: UploadUrls,
    private readonly verifier: TokenVerifier,
    private readonly images: ImagesService,
    private readonly uploads: UploadsStore,
    private readonly entities: EntitiesStore,
    private readonly usage: UsageService,
    private readonly contents: ContentsStore,
    private readonly finishing: FinishUploadService,
    private readonly begun: BegunService,
  ) {
    this.#startedAt = clock.now().getTime();
    this.#received = metrics.counter({
      name: 'scs_library_received_bytes_total',
      help: 'Bytes of images, and of parts of images, that arrived whole',
      labels: {},
    });
  }

  /** One piece (library contract §5 no. 21). @returns the address that the bytes are sent to */
  async startSingle(
    imageId: string,
    request: { size: number; sha256: string },
    actor: Actor,
  ): Promise<string> {
    const found = await this.#findForWriting(imageId, actor);
    const { hash } = found.image.value;
    if (request.sha256 !== '' && `sha256.${request.sha256.toLowerCase()}` !== hash)
      throw new DomainError('unprocessable', expected(hash, 'the announced hash', request.sha256), {
        reason: 'wrong_digest',
      });
    const upload = await this.#start(
      found,
      { kind: 'single', size: request.size, partSize: request.size },
      actor,
    );
    return this.#addressOf(upload.id, 1, actor);
  }

  /**
   * Several pieces (no. 24). None, when all bytes are here: then the client goes on to the end at once. `resume` goes on with an upload of the same file by the same account, if there is one: with `earlier`,
   * which only whoever began it can name, in any case, otherwise with one for which nothing arrives at this moment.
   */
  async startMultipart(
    imageId: string,
    request: { readonly size: number; readonly resume: boolean; readonly earlier?: string },
    actor: Actor,
  ): Promise<StartedUpload> {
    const found = await this.#findForWriting(imageId, actor);
    const { size, resume } = request;
    const whole = resume ? undefined : await this.#locks.run(imageId, () => this.#whole(found, size, actor));
    if (whole !== undefined) return whole;
    const known = resume ? await this.#resumed(found, request, actor) : undefined;
    const partSize = Math.max(this.limits.partBytes, Math.ceil(size / this.limits.parts));
    const upload = known ?? (await this.#start(found, { kind: 'multipart', size, partSize }, actor));
    return {
      id: upload.id,
      partSize: upload.value.partSize,
      totalParts: partCount(upload.value),
      received: known ? await this.uploads.parts(known.id) : [],
    };
  }

  /** The address of one part (no. 25). The same part may be asked for again (case 45). */
  async partAddress(imageId: string, uploadId: string, number: number, actor: Actor): Promise<string> {
    const { id, value } = await this.#openUpload(imageId, uploadId, actor);
    if (!Number.isSafeInteger(number) || number < 1 || number > partCount(value))
      throw new DomainError('bad_request', expected(`1 to ${partCount(value)}`, 'partNumber', number), {
        reason: 'invalid_part_number',
      });
    return this.#addressOf(id, number, actor);
  }

  /**
   * Receives the bytes of a signed address (nos. 22 and 26).
   * @returns the ETag, with its quotes
   * @throws DomainError `forbidden`, `gone`, `conflict`, `unprocessable`, `bad_request` when the client stops, `out_of_space`,
   *   `unavailable` while it is not known which tokens were revoked
   */
  async receive(grant: UploadGrant, signature: string, body: IncomingMessage): Promise<string> {
    this.urls.check(grant, signature, this.clock.now().getTime() / 1000);
    const upload = await this.uploads.get(grant.upload);
    if (upload?.value.state !== 'open') throw closed();
    this.#refuseRevoked(upload.value);
    if (upload.value.kind === 'single' && (await this.uploads.part(upload.id, 1)) !== undefined)
      throw new DomainError('conflict', 'The bytes have been received already', {
        reason: 'already_received',
      });
    return this.#receivePart(upload, grant.part, body);
  }

  /** Ends an upload in one piece (no. 23). Repeating it is fine. */
  async completeSingle(imageId: string, actor: Actor): Promise<UploadCompletion> {
    return this.#locks.run(imageId, async () => {
      const found = await this.#findForWriting(imageId, actor);
      const { image, container } = found;
      if (await this.images.isStored(image)) return this.#completion(image.id, container);
      for (const upload of await this.uploads.ofImage(imageId, this.limits.uploadsPerImage)) {
        const { kind, state } = upload.value;
        if (kind !== 'single' || state !== 'open' || !this.begun.mayGoOnWith(actor, upload)) continue;
        if (!(await this.uploads.part(upload.id, 1))) continue;
        await this.#store(upload, found, actor);
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
    return this.#locks.run(imageId, async () => {
      const found = await this.#findForWriting(imageId, actor);
      const { image, container } = found;
      const upload = await this.uploads.get(request.uploadID);
      if (upload?.value.image !== imageId || upload.value.state !== 'open') {
        if (await this.images.isStored(image)) return this.#completion(image.id, container);
        throw closed();
      }
      this.begun.requireBegun(actor, upload);
      checkParts(upload.value, await this.uploads.parts(upload.id), request);
      await this.#store(upload, found, actor);
      return this.#completion(image.id, container);
    });
  }

  /** Gives an upload up (no. 28). Repeating it is fine. */
  async abort(imageId: string, uploadId: string, actor: Actor): Promise<void> {
    await this.#findForWriting(imageId, actor);
    const upload = await this.uploads.get(uploadId);
    if (upload?.value.image !== imageId || upload.value.state !== 'open') return;
    this.begun.requireBegun(actor, upload);
    await this.finishing.end(uploadId);
  }

  /** Announcement, bytes and end in one request (no. 20). Nothing of it stays when it fails. */
  async receiveRaw(imageId: string, body: IncomingMessage, actor: Actor): Promise<void> {
    const found = await this.#findForWriting(imageId, actor);
    const size = Number(body.headers['content-length'] ?? Number.NaN);
    if (!Number.isSafeInteger(size) || size < 1)
      throw new DomainError(
        'bad_request',
        expected('a length above 0', 'Content-Length', body.headers['content-length']),
        {
          reason: 'length_required',
        },
      );
    const upload = await this.#start(found, { kind: 'single', size, partSize: size }, actor);
    try {
      await this.#receivePart(upload, 1, body);
      await this.#locks.run(imageId, () => this.#store(upload, found, actor));
    } catch (error) {
      await this.finishing.end(upload.id);
      throw error;
    }
  }

  /**
   * As {@link ImagesService.findForWriting}. Whoever began an upload here and may not write to the entity any more has sent in
   * vain: nothing of it stays.
   */
  async #findForWriting(imageId: string, actor: Actor): Promise<FoundImage> {
    try {
      return await this.images.findForWriting(imageId, actor);
    } catch (error) {
      const own = (await this.#openUploads(imageId)).filter(({ value }) => value.account === actor.accountId);
      for (const { id, value } of own) {
        const entity = await this.entities.get(value.entity);
        if (entity && !isWriter(actor, entity.value.name)) await this.finishing.end(id);
      }
      throw error;
    }
  }

  /** Right before an image becomes visible: the bytes took their time, and so may have checking them. */
  async #requireStillAllowed({ image, container }: FoundImage, actor: Actor): Promise<void> {
    const present = await this.verifier.again(actor);
    enforce(mayWrite(present, containerSubject(container)), () => missing('image', image.id));
  }

  async #openUploads(imageId: string): Promise<Upload[]> {
    const uploads = await this.uploads.ofImage(imageId, this.limits.uploadsPerImage);
    return uploads.filter(({ value }) => value.state === 'open');
  }

  async #start(
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
      if (!(await this.usage.fits(entity, image.value.hash, shape.size))) {
        // What an interrupted push of the same file still holds makes room for this one.
        const dead = idle.pop();
        if (!dead) throw overQuota(entity, shape.size);
        await this.finishing.end(dead.id);
        throw new TryAgain();
      }
      const reserved = (await this.usage.isHeld(entity, image.value.hash)) ? 0 : shape.size;
      const upload: UploadDocument = {
        image: image.id,
        container: container.id,
        entity: entity.id,
        hash: image.value.hash,
        ...shape,
        state: 'open',
        reserved,
        account: actor.accountId,
        username: actor.username,
        token: actor.tokenId,
        originToken: actor.originTokenId,
        ...(actor.keyId === undefined ? {} : { tokenKey: actor.keyId }),
        ...(actor.via === undefined ? {} : { via: actor.via }),
        createdAt: now,
        expiresAt: now + this.limits.uploadIdle,
      };
      const writes = [this.uploads.creation(id, upload), await this.contents.claim(upload.hash, upload.size)];
      if (reserved > 0) writes.push(this.entities.holding(entity, reserved));
      return { writes, result: undefined };
    });
    const upload = await this.uploads.get(id);
    if (!upload) throw closed();
    return upload;
  }

  /**
   * Open uploads of the image by the same account for which nothing arrives at this moment, newest first.
   * @throws DomainError `too_many_requests` when too many are under way
   */
  async #idleUploads(imageId: string, actor: Actor): Promise<Upload[]> {
    const open = await this.#openUploads(imageId);
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

  /**
   * Stock clients know nothing of parts that are here already, but they send as many as they are told: none, when somebody has just
   * pushed the same file, or the same account has sent all of it and was cut off before the end. That is made up for here: wrong bytes
   * are sent again, and the client never hears of them.
   */
  async #whole(
    { image: { id } }: FoundImage,
    size: number,
    actor: Actor,
  ): Promise<StartedUpload | undefined> {
    const found = await this.#findForWriting(id, actor);
    const nothingLeft = (upload: string): StartedUpload => ({
      id: upload,
      partSize: this.limits.partBytes,
      totalParts: 0,
      received: [],
    });
    if (await this.images.isStored(found.image)) return nothingLeft(newObjectId());
    for (const upload of await this.#openUploads(id)) {
      const { kind, account } = upload.value;
      if (kind !== 'multipart' || upload.value.size !== size || account !== actor.accountId) continue;
      if (this.blobs.isActive(upload.id)) continue;
      if ((await this.uploads.parts(upload.id)).length < partCount(upload.value)) continue;
      try {
        await this.#store(upload, found, actor);
        return nothingLeft(upload.id);
      } catch (error) {
        if (!(error instanceof DomainError && WRONG.has(error.reason))) throw error;
      }
    }
    return undefined;
  }

  /** An upload to go on with. From now on it is this token's: that of before may have expired, or been revoked. */
  async #resumed(
    { image }: FoundImage,
    request: { readonly size: number; readonly earlier?: string },
    actor: Actor,
  ): Promise<Upload | undefined> {
    const { tokenId: token, originTokenId: originToken, via } = actor;
    return commitPlan(this.database, async () => {
      const upload = await this.#resumable(image.id, request, actor);
      if (upload === undefined || upload.value.token === token) return { writes: [], result: upload };
      const { via: _, ...rest } = upload.value;
      const value = { ...rest, token, originToken, ...(via === undefined ? {} : { via }) };
      return { writes: [this.uploads.replacement(upload, value)], result: upload };
    });
  }

  async #resumable(
    imageId: string,
    { size, earlier }: { readonly size: number; readonly earlier?: string },
    actor: Actor,
  ): Promise<Upload | undefined> {
    const own = (await this.#openUploads(imageId)).filter(
      ({ value }) => value.kind === 'multipart' && value.size === size && value.account === actor.accountId,
    );
    return own.find(({ id }) => id === earlier) ?? own.find(({ id }) => !this.blobs.isActive(id));
  }

  async #openUpload(imageId: string, uploadId: string, actor: Actor): Promise<Upload> {
    await this.#findForWriting(imageId, actor);
    const upload = await this.uploads.get(uploadId);
    if (upload?.value.image !== imageId || upload.value.state !== 'open') throw closed();
    this.begun.requireBegun(actor, upload);
    return upload;
  }

  async #receivePart(upload: Upload, number: number, body: IncomingMessage): Promise<string> {
    const blob = this.#blobOf(upload);
    const length = lengthOf(upload.value, number);
    const announced = body.headers['content-length'];
    if (announced !== undefined && Number(announced) !== length)
      throw new DomainError(
        'unprocessable',
        expected(`${length} bytes`, 'the length of the part', announced),
        {
          reason: 'wrong_length',
        },
      );
    const writer = await blob.beginPart(number);
    try {
      await this.#requireOpen(upload.id, blob);
      // From here on the earlier bytes of this part are gone.
      if (await this.uploads.part(upload.id, number)) await this.uploads.removePart(upload.id, number);
      this.#received({}, await receiveBody(body, writer, { limit: length, signal: writer.signal }));
      const keep = (): Promise<string> => this.#keepPart(upload, number, blob, writer);
      return await this.#locks.run(partsOf(upload), () => blob.keepOpen(keep));
    } catch (error) {
      await writer.cancel();
      await this.#locks.run(partsOf(upload), () => this.#dropUnused(upload, blob));
      throw error;
    }
  }

  /** The bytes of a part are there. @returns the ETag, with its quotes */
  async #keepPart(upload: Upload, number: number, blob: BlobUpload, writer: PartWriter): Promise<string> {
    await writer.finish();
    if (upload.value.kind === 'single') await blob.verify(parseDigest(upload.value.hash));
    const token = newSecret(12);
    const receivedAt = this.clock.now().getTime();
    await this.uploads.putPart({ upload: upload.id, number, token, receivedAt });
    if (!isOver(await this.uploads.get(upload.id))) return `"${token}"`;
    // It was given up meanwhile: nobody would find this part again.
    await this.uploads.removePart(upload.id, number);
    throw closed();
  }

  /** Bytes that nobody can go on with do not stay: whoever sends again begins with an empty file. */
  async #dropUnused(upload: Upload, blob: BlobUpload): Promise<void> {
    if ((await this.uploads.lastArrival(upload.id)) === undefined) await blob.rewind();
  }

  /**
   * An upload that was given up between the look at it and the opening of its file has no file: what was just made is removed.
   * From here on whoever gives it up finds the part under way.
   */
  async #requireOpen(id: string, blob: BlobUpload): Promise<void> {
    let upload = await this.uploads.get(id);
    // Whoever is storing it has the lock of its image, and the file until then.
    if (upload?.value.state === 'storing')
      upload = await this.#locks.run(upload.value.image, () => this.uploads.get(id));
    if (upload?.value.state === 'open') return;
    if (upload?.value.state !== 'storing') await blob.cancel();
    throw closed();
  }

  async #store(upload: Upload, found: FoundImage, actor: Actor): Promise<void> {
    const requireAllowed = () => this.#requireStillAllowed(found, actor);
    try {
      await this.finishing.store(upload, this.#blobOf(upload), actor, requireAllowed);
    } catch (error) {
      // Wrong bytes do not become right, and lost rights do not come back: the next push begins anew.
      if (error instanceof DomainError && (WRONG.has(error.reason) || REFUSED.has(error.code)))
        await this.finishing.end(upload.id);
      throw error;
    }
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

  #blobOf({ id, value: { size, partSize } }: Upload): BlobUpload {
    return this.blobs.upload({ id, size, partSize });
  }

  #addressOf(upload: string, part: number, actor: Actor): string {
    const expires = Math.floor(this.begun.lastMoment(actor) / 1000);
    return this.urls.sign({ upload, part, expires });
  }

  #refuseRevoked({ account, token, originToken, tokenKey }: UploadDocument): void {
    this.verifier.requireFresh();
    const by = { accountId: account, tokenId: token, originTokenId: originToken, keyId: tokenKey };
    if (this.verifier.hasEnded(by))
      throw new DomainError('unauthorized', 'The token that began this upload was revoked', {
        reason: 'token_revoked',
      });
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

/** The lock of what is known of an upload's parts. */
function partsOf({ id }: Upload): string {
  return `parts of ${id}`;
}

function isOver(upload: Upload | undefined): boolean {
  return upload === undefined || upload.value.state === 'ended';
}

const WRONG = new Set(['wrong_digest', 'wrong_length', 'upload_gone']);
const REFUSED: ReadonlySet<string> = new Set(['unauthorized', 'forbidden', 'not_found']);

function lengthOf({ size, partSize }: UploadDocument, number: number): number {
  return Math.min(partSize, size - (number - 1) * partSize);
}

/** Never 404: that would make stock clients begin again in one piece, from the wrong place (library contract §6.1). */
function closed(): DomainError {
  return new DomainError('conflict', 'The upload has ended or never began', {
    reason: 'upload_closed',
    remedy: 'Push again.',
  });
}

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

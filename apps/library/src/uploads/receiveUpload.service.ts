import { Inject, Injectable } from '@nestjs/common';
import type { IncomingMessage } from 'node:http';
import type { BlobUpload, PartWriter } from '#libs/blobs';
import { type Clock, DomainError, expected, KeyedLock, newSecret, parseDigest } from '#libs/core';
import { CLOCK, Metrics, receiveBody, TokenVerifier } from '#libs/server';
import { closed, OpenUploadsService } from './openUploads.service.js';
import { type Upload, type UploadDocument, UploadsStore } from './uploads.store.js';
import { type UploadGrant, UploadUrls } from './uploadUrls.js';

/** The bytes of an upload, part by part. */
@Injectable()
export class ReceiveUploadService {
  readonly #locks = new KeyedLock();
  readonly #received;

  constructor(
    metrics: Metrics,
    @Inject(CLOCK) private readonly clock: Clock,
    private readonly urls: UploadUrls,
    private readonly verifier: TokenVerifier,
    private readonly open: OpenUploadsService,
    private readonly uploads: UploadsStore,
  ) {
    this.#received = metrics.counter({
      name: 'scs_library_received_bytes_total',
      help: 'Bytes of images, and of parts of images, that arrived whole',
      labels: {},
    });
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
    return this.receivePart(upload, grant.part, body);
  }

  /** Receives a part of an upload that the caller may go on with. @returns the ETag, with its quotes */
  async receivePart(upload: Upload, number: number, body: IncomingMessage): Promise<string> {
    const blob = this.open.blobOf(upload);
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
      upload = await this.open.locked(upload.value.image, () => this.uploads.get(id));
    if (upload?.value.state === 'open') return;
    if (upload?.value.state !== 'storing') await blob.cancel();
    throw closed();
  }

  #refuseRevoked({ account, token, originToken, tokenKey }: UploadDocument): void {
    this.verifier.requireFresh();
    const by = { accountId: account, tokenId: token, originTokenId: originToken, keyId: tokenKey };
    if (this.verifier.hasEnded(by))
      throw new DomainError('unauthorized', 'The token that began this upload was revoked', {
        reason: 'token_revoked',
      });
  }
}

/** The lock of what is known of an upload's parts. */
function partsOf({ id }: Upload): string {
  return `parts of ${id}`;
}

function isOver(upload: Upload | undefined): boolean {
  return upload === undefined || upload.value.state === 'ended';
}

function lengthOf({ size, partSize }: UploadDocument, number: number): number {
  return Math.min(partSize, size - (number - 1) * partSize);
}

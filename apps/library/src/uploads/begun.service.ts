import { Inject, Injectable } from '@nestjs/common';
import { type Actor, DOWNLOAD_PROOF_HEADER, TOKEN_LIMITS } from '#libs/contract';
import type { Clock } from '#libs/core';
import { CLOCK, refused } from '#libs/server';
import { type BegunDownload, DownloadProofs } from '../downloads/downloadProofs.js';
import type { FoundImage } from '../images/images.service.js';
import { LIBRARY_LIMITS, type LibraryLimits } from '../limits.js';
import { type Upload, UploadsStore } from './uploads.store.js';

type Headers = Readonly<Record<string, string | string[] | undefined>>;

/**
 * What was begun with a token goes on when the token has expired meanwhile (ADR 10): an upload to its end, the tags of its image
 * right behind it, the download of the image by whoever had it built, and further ranges of a download. Nothing else does.
 */
@Injectable()
export class BegunService {
  constructor(
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(LIBRARY_LIMITS) private readonly limits: LibraryLimits,
    private readonly uploads: UploadsStore,
    private readonly proofs: DownloadProofs,
  ) {}

  /** Whether the token began an upload of the image that is under way, or has just come to its end. */
  async isUploading(actor: Actor, image: string): Promise<boolean> {
    return (await this.uploads.ofImage(image, this.limits.uploadsPerImage)).some(
      (upload) => isBy(actor, upload) && (isUnderWay(upload) || this.#isJustDone(upload)),
    );
  }

  /** Whether something has just been uploaded to the container with the token. */
  async hasPushedTo(actor: Actor, container: string): Promise<boolean> {
    return (await this.#justDone(actor)).some(
      (upload) => isBy(actor, upload) && upload.value.container === container,
    );
  }

  /** Whether something has just been uploaded with the token, or with one that was exchanged from it: a build. */
  async hasCausedPush(actor: Actor): Promise<boolean> {
    return (await this.#justDone(actor)).length > 0;
  }

  /** Whether a download goes on: there is a proof that it was begun, or the image may be one that has just been made. */
  async isDownloading(actor: Actor, headers: Headers): Promise<boolean> {
    return this.#begunDownload(actor, headers) !== undefined || this.hasCausedPush(actor);
  }

  /** Whether the actor may go on with an upload as far as its token goes: with an expired one only with those that it began. */
  mayGoOnWith(actor: Actor, upload: Upload): boolean {
    return actor.expired !== true || isBy(actor, upload);
  }

  /** @throws DomainError `unauthorized` unless {@link mayGoOnWith} */
  requireBegun(actor: Actor, upload: Upload): void {
    if (!this.mayGoOnWith(actor, upload)) throw refused('token_expired');
  }

  /** @throws DomainError `unauthorized` when the token has expired and the image has not just been uploaded with it */
  async requirePushed(actor: Actor, image: string): Promise<void> {
    if (actor.expired !== true) return;
    const uploads = await this.uploads.ofImage(image, this.limits.uploadsPerImage);
    if (!uploads.some((upload) => isBy(actor, upload) && this.#isJustDone(upload)))
      throw refused('token_expired');
  }

  /**
   * @throws DomainError `unauthorized` when the token has expired, and the image has not just been uploaded with it or on behalf of it,
   *   nor its download been begun
   */
  async requireCaused(
    actor: Actor | undefined,
    { image, container }: FoundImage,
    headers: Headers = {},
  ): Promise<void> {
    if (actor?.expired !== true) return;
    const begun = this.#begunDownload(actor, headers);
    if (begun?.container === container.id && begun.hash === image.value.hash) return;
    const uploads = await this.uploads.ofImage(image.id, this.limits.uploadsPerImage);
    if (!uploads.some((upload) => isFor(actor, upload) && this.#isJustDone(upload)))
      throw refused('token_expired');
  }

  /** The proof that a download was begun, for its further ranges; undefined where nobody needs one. */
  proofOf(actor: Actor | undefined, { image, container }: FoundImage, headers: Headers): string | undefined {
    if (actor === undefined) return undefined;
    // After the end of the token the first proof is the last.
    if (actor.expired === true && this.#begunDownload(actor, headers) !== undefined) return undefined;
    const until = Math.floor(this.lastMoment(actor) / 1000);
    return this.proofs.make({ token: actor.tokenId, container: container.id, hash: image.value.hash, until });
  }

  /**
   * Until when an address or a proof may be good that is given to the actor now, in milliseconds since 1970: no longer than
   * services are told of the revocation of its token. An exchanged token has no afterlife.
   */
  lastMoment({ expiresAt, via }: Actor): number {
    const after = via === undefined ? TOKEN_LIMITS.exchangedLifetimeMaximum * 1000 : 0;
    return Math.min(this.clock.now().getTime() + this.limits.uploadUrl, expiresAt.getTime() + after);
  }

  #begunDownload(actor: Actor, headers: Headers): BegunDownload | undefined {
    const given = headers[DOWNLOAD_PROOF_HEADER];
    const begun = typeof given === 'string' ? this.proofs.read(given, actor) : undefined;
    return begun !== undefined && begun.until * 1000 > this.clock.now().getTime() ? begun : undefined;
  }

  async #justDone({ tokenId }: Actor): Promise<readonly Upload[]> {
    const recent = await this.uploads.doneFor(tokenId, this.#since(), this.limits.recentUploads);
    return recent.filter((upload) => this.#isJustDone(upload));
  }

  #isJustDone({ value: { state, doneAt } }: Upload): boolean {
    return state === 'complete' && doneAt !== undefined && doneAt > this.#since();
  }

  #since(): number {
    return this.clock.now().getTime() - this.limits.afterUpload;
  }
}

/** Whether the upload is this token's own. */
function isBy({ tokenId }: Actor, { value }: Upload): boolean {
  return value.token === tokenId;
}

/** Whether the upload is this token's own, or of one that was exchanged from it. */
function isFor({ tokenId }: Actor, { value }: Upload): boolean {
  return value.originToken === tokenId;
}

function isUnderWay({ value: { state } }: Upload): boolean {
  return state === 'open' || state === 'storing';
}

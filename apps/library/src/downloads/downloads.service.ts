import type { IncomingHttpHeaders } from 'node:http';
import { Inject, Injectable } from '@nestjs/common';
import { type BlobReader, BlobStore } from '#libs/blobs';
import type { Actor } from '#libs/contract';
import {
  type Clock,
  type Digest,
  DomainError,
  type ImageReference,
  messageOf,
  parseDigest,
} from '#libs/core';
import { type ByteSource, CLOCK, LOG, type Logger, Metrics } from '#libs/server';
import { countedSource } from './countedSource.js';
import { DownloadCounts } from './downloadCounts.service.js';
import { BegunService } from '../uploads/begun.service.js';
import { type FoundImage, ImagesService } from '../images/images.service.js';
import { ImagesStore } from '../images/images.store.js';
import { LIBRARY_LIMITS, type LibraryLimits } from '../limits.js';
import { missing } from '../missing.js';
import { enforce, mayDownload } from '../policy.js';
import { DoorService } from '../signers/door.service.js';
import { containerSubject } from '../tree/subjects.js';

/** An image that the caller may have the bytes of. */
export interface Download {
  readonly digest: Digest;
  /** Strong: it is the hash of the bytes. */
  readonly etag: string;
  readonly container: string;
  readonly image: string;
  /** For {@link DOWNLOAD_PROOF_HEADER} of the answer. */
  readonly proof: string | undefined;
  /** Milliseconds for which an address of the bytes may be good. */
  readonly addressTime: number;
}

/** The bytes of images. */
@Injectable()
export class DownloadsService {
  readonly #sent;
  readonly #pulls;

  constructor(
    metrics: Metrics,
    @Inject(LOG) private readonly log: Logger,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(LIBRARY_LIMITS) private readonly limits: LibraryLimits,
    private readonly blobs: BlobStore,
    private readonly imagesService: ImagesService,
    private readonly images: ImagesStore,
    private readonly counts: DownloadCounts,
    private readonly begun: BegunService,
    private readonly door: DoorService,
  ) {
    this.#sent = metrics.counter({
      name: 'scs_library_sent_bytes_total',
      help: 'Bytes of images that were sent',
      labels: {},
    });
    this.#pulls = metrics.counter({
      name: 'scs_library_pulls_total',
      help: 'Downloads that began with the first byte',
      labels: {},
    });
  }

  /**
   * @param headers of the request
   * @throws DomainError `not_found`, `forbidden`, `unauthorized` for an expired token with which this download was not begun,
   *   `unprocessable` for what is no image (library contract case 70), `gone` for bytes that are known to be damaged; `forbidden` for what
   *   nobody has signed who must have, `unavailable` when that cannot be said
   */
  async find(
    reference: ImageReference,
    arch: string | undefined,
    actor: Actor | undefined,
    headers: IncomingHttpHeaders,
  ): Promise<Download> {
    const found = await this.imagesService.findForReading(reference, arch, actor);
    await this.begun.requireCaused(actor, found, headers);
    const { image, container } = found;
    const absent = () => missing('image', image.value.hash);
    enforce(mayDownload(actor, containerSubject(container)), absent);
    if (!image.value.uploaded) throw absent();
    if (image.value.format !== 'sif')
      throw new DomainError('unprocessable', 'What was uploaded here is not an image in the SIF format', {
        reason: 'not_an_image',
      });
    const isGuarded = await this.door.requirePull(image, container);
    const { hash } = image.value;
    return {
      digest: parseDigest(hash),
      etag: `"${hash}"`,
      container: container.id,
      image: image.id,
      proof: this.begun.proofOf(actor, found, headers),
      addressTime: this.#addressTime(found, actor, isGuarded),
    };
  }

  /** The source, with what is read of it counted as sent. */
  counted(source: BlobReader): ByteSource {
    return countedSource(source, (bytes) => this.#sent({}, bytes));
  }

  /** The bytes. Close them when they were sent. */
  open({ digest }: Download): Promise<BlobReader> {
    return this.blobs.open(digest);
  }

  /** A signed address that the bytes are read from, where the site hands such out. */
  addressOf({ digest, addressTime }: Download): Promise<string | undefined> {
    return this.blobs.addressOf(digest, Math.max(1, Math.floor(addressTime / 1000)));
  }

  /**
   * Nobody can take an address back: for private images, and where the signers of an image decide, it is good for one pull, and ends with what
   * a token can still do.
   */
  #addressTime({ image, container }: FoundImage, actor: Actor | undefined, isGuarded: boolean): number {
    const { privateAddress, slowestPull, uploadUrl } = this.limits;
    const pull = Math.min(privateAddress + (image.value.size / slowestPull) * 1000, uploadUrl);
    const isOpen = actor === undefined || mayDownload(undefined, containerSubject(container)).allowed;
    if (isOpen) return isGuarded ? pull : uploadUrl;
    return Math.min(pull, this.begun.lastMoment(actor) - this.clock.now().getTime());
  }

  /** After a download from the first byte on. Never fails: the number is informational. */
  async count({ container, image }: Download): Promise<void> {
    this.#pulls({});
    const day = `${this.clock.now().toISOString().slice(0, 10)}T00:00:00.000Z`;
    this.counts.count(container);
    await this.images
      .notePull(image, day)
      .catch((error: unknown) => this.log.warn(`The day of a pull was not noted: ${messageOf(error)}`));
  }
}

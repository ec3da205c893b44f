import { Inject, Injectable, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { BlobStore } from '#libs/blobs';
import { type Clock, messageOf } from '#libs/core';
import { CLOCK, LOG, type Logger } from '#libs/server';
import { DATABASE, type Database } from '../database.store.js';
import { FinishUploadService } from '../uploads/finishUpload.service.js';
import { ImagesStore } from '../images/images.store.js';
import { LIBRARY_LIMITS, type LibraryLimits } from '../limits.js';
import { type Upload, UploadsStore } from '../uploads/uploads.store.js';
import { BlobHealth } from './blobHealth.store.js';
import { DownloadCounts } from '../downloads/downloadCounts.service.js';
import { UsageService } from './usage.service.js';

/** Finishes or takes back what a crash interrupted, before the port opens, and gives back what nobody goes on with. */
@Injectable()
export class SweepService implements OnModuleInit, OnApplicationShutdown {
  #timer: NodeJS.Timeout | undefined;
  #round: Promise<void> | undefined;

  constructor(
    @Inject(DATABASE) private readonly database: Database,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(LOG) private readonly log: Logger,
    @Inject(LIBRARY_LIMITS) private readonly limits: LibraryLimits,
    private readonly blobs: BlobStore,
    private readonly uploads: UploadsStore,
    private readonly images: ImagesStore,
    private readonly usage: UsageService,
    private readonly health: BlobHealth,
    private readonly finishing: FinishUploadService,
    private readonly downloads: DownloadCounts,
  ) {}

  async onModuleInit(): Promise<void> {
    await this.database.ready();
    // Two replicas share a MongoDB, and what the other one is storing at this moment is not interrupted.
    if (this.database.driver === 'sqlite') await this.recover();
    this.#timer = setInterval(() => void this.#runQuietly(), this.limits.sweepInterval).unref();
  }

  async onApplicationShutdown(): Promise<void> {
    clearInterval(this.#timer);
    await this.#round;
  }

  /** For the start of the only process of this service: nothing is under way. */
  async recover(): Promise<void> {
    await this.#each(await this.uploads.all('storing'), (upload) => this.#settle(upload));
    await this.#each(await this.uploads.all('open'), async (upload) => {
      if (await this.#wasStored(upload)) await this.#settle(upload);
    });
    // Nobody sends anything any more, and whoever asks to complete one of these gets the answer from the image.
    await this.#each(await this.uploads.all('open'), async (upload) => {
      const { image, hash } = upload.value;
      if ((await this.images.get(image))?.value.uploaded === true && !(await this.health.isDamaged(hash)))
        await this.finishing.end(upload.id);
    });
    await this.#each(await this.uploads.all('ended'), (upload) => this.finishing.end(upload.id));
    await this.#discard(this.clock.now().getTime());
    // Bytes of a part that did not arrive whole are of no use to anybody.
    const removed = await this.blobs.sweep({
      isAlive: async (id) => (await this.#isAlive(id)) && (await this.uploads.lastArrival(id)) !== undefined,
    });
    if (removed > 0) this.log.info({ removed }, 'Bytes of dead uploads were removed');
  }

  /** Gives back what uploads hold for which nothing arrives any more. */
  async sweep(): Promise<void> {
    const now = this.clock.now().getTime();
    await this.#each(await this.uploads.expiredBefore(now, this.limits.sweepBatch), async (upload) => {
      const alive = await this.#aliveUntil(upload);
      if (alive > now) await this.uploads.extend(upload, alive);
      else if (upload.value.state === 'storing') await this.#settle(upload);
      else await this.finishing.end(upload.id);
    });
    // A removal that failed, or whose process was killed: until it is over nobody can push that content.
    await this.#discard(now - this.limits.removalGrace);
    await this.blobs.sweep({
      isAlive: (id) => this.#isAlive(id),
      before: new Date(now - this.limits.sweepGrace),
    });
    await this.downloads.sweep();
  }

  /** One that cannot be settled keeps neither the others from it nor the service from its start. */
  async #each(uploads: readonly Upload[], settle: (upload: Upload) => Promise<void>): Promise<void> {
    for (const upload of uploads)
      await settle(upload).catch((error: unknown) =>
        this.log.error({ upload: upload.id }, `An upload could not be settled: ${messageOf(error)}`),
      );
  }

  /** Finishes the removal of blobs that was begun until `time`. */
  async #discard(time: number): Promise<void> {
    for (const hash of await this.usage.undiscarded(time))
      await this.usage
        .discard(hash)
        .catch((error: unknown) => this.log.error({ hash }, `A blob was not removed: ${messageOf(error)}`));
  }

  /** Stored but not yet said, or not yet stored: whichever it is, it is settled. */
  async #settle(upload: Upload): Promise<void> {
    if (await this.#wasStored(upload)) await this.finishing.publishStored(upload);
    else await this.finishing.takeBack(upload.id);
  }

  #wasStored(upload: Upload): Promise<boolean> {
    const { size, partSize } = upload.value;
    return this.finishing.wasStored(upload, this.blobs.upload({ id: upload.id, size, partSize }));
  }

  async #aliveUntil({ id, value }: Upload): Promise<number> {
    if (value.state !== 'open') return value.expiresAt;
    if (this.blobs.isActive(id)) return this.clock.now().getTime() + this.limits.uploadIdle;
    return ((await this.uploads.lastArrival(id)) ?? value.createdAt) + this.limits.uploadIdle;
  }

  async #isAlive(uploadId: string): Promise<boolean> {
    const upload = await this.uploads.get(uploadId);
    return upload !== undefined && (upload.value.state === 'open' || upload.value.state === 'storing');
  }

  #runQuietly(): Promise<void> {
    this.#round ??= this.sweep()
      .catch((error: unknown) => this.log.warn(`Dead uploads could not be removed: ${messageOf(error)}`))
      .finally(() => (this.#round = undefined));
    return this.#round;
  }
}

import { Inject, Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { Trail } from '#libs/audit';
import { BlobStore } from '#libs/blobs';
import type { DamagedBlob } from '#libs/contract';
import type { Clock } from '#libs/core';
import { CLOCK } from '#libs/server';
import { DATABASE, type Database } from '../database.store.js';
import { ImagesStore } from '../images/images.store.js';
import { LIBRARY_LIMITS, type LibraryLimits } from '../limits.js';
import { BlobHealth } from '../storage/blobHealth.store.js';
import { ContainersStore } from '../tree/containers.store.js';
import { type CheckedPart, LibraryCheck } from './check.store.js';
import { containerPath } from './paths.js';
import type { CheckOptions } from './room.store.js';
import { Tables } from './tables.store.js';

/** Images of a damaged blob that are named. */
const NAMED = 20;

/** What an administrator does with the whole library. */
@Injectable()
export class UpkeepStore implements OnApplicationShutdown {
  readonly #check: LibraryCheck;

  constructor(
    @Inject(DATABASE) database: Database,
    @Inject(CLOCK) clock: Clock,
    @Inject(LIBRARY_LIMITS) private readonly limits: LibraryLimits,
    blobs: BlobStore,
    trail: Trail,
    private readonly health: BlobHealth,
    private readonly images: ImagesStore,
    private readonly containers: ContainersStore,
  ) {
    this.#check = new LibraryCheck({
      database,
      tables: new Tables(database),
      blobs,
      health,
      trail,
      clock,
      limits,
    });
  }

  onApplicationShutdown(): void {
    this.#check.stop();
  }

  /** @param from what the part before gave as `next` */
  check(from: string | undefined, options: CheckOptions): Promise<CheckedPart> {
    return this.#check.part(from, options);
  }

  /** Blobs with other bytes than their names say, and images that have them. */
  async damaged(from: string | undefined): Promise<{ damaged: DamagedBlob[]; next: string | undefined }> {
    const { damages, next } = await this.health.list(this.limits.damagedListed, from);
    const damaged: DamagedBlob[] = [];
    for (const { id: hash, value } of damages) {
      const found = (await this.images.withHash(hash, NAMED)).filter((image) => image.value.uploaded);
      const containers = await this.containers.getMany(found.map((image) => image.value.container));
      const images = containers.map((container) => `${containerPath(container)}@${hash}`);
      damaged.push({ hash, reason: value.reason, since: value.since, images });
    }
    return { damaged, next };
  }
}

import {
  type BeforeApplicationShutdown,
  Inject,
  Injectable,
  type OnApplicationBootstrap,
} from '@nestjs/common';
import { messageOf } from '#libs/core';
import { LOG, type Logger } from '#libs/server';
import { LIBRARY_LIMITS, type LibraryLimits } from '../limits.js';
import { placeOf } from '../policy.js';
import { CollectionsStore } from '../tree/collections.store.js';
import { collectionSubject } from '../tree/subjects.js';
import { CollectionRenameService } from './collectionRename.service.js';

/** Collections that are read at once. */
const PART = 20;

/** Goes on with renamings of collections that were cut off, at the start and as often as the sweep: nobody has to ask again. */
@Injectable()
export class UnfinishedRenames implements OnApplicationBootstrap, BeforeApplicationShutdown {
  readonly #stopping = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;

  constructor(
    @Inject(LOG) private readonly log: Logger,
    @Inject(LIBRARY_LIMITS) private readonly limits: LibraryLimits,
    private readonly collections: CollectionsStore,
    private readonly renames: CollectionRenameService,
  ) {}

  /** Beside what is asked: both names are served meanwhile, and there may be thousands of containers. */
  onApplicationBootstrap(): void {
    const run = (): void => {
      this.#running ??= this.round()
        .catch((error: unknown) =>
          this.log.warn(`Renamings that were cut off could not be looked for: ${messageOf(error)}`),
        )
        .finally(() => (this.#running = undefined));
    };
    run();
    this.#timer = setInterval(run, this.limits.sweepInterval).unref();
  }

  /** While the database still takes the commit that is under way. */
  async beforeApplicationShutdown(): Promise<void> {
    clearInterval(this.#timer);
    this.#stopping.abort();
    await this.#running;
  }

  /** All that there are now; one that fails keeps the others from nothing, and is tried again. */
  async round(): Promise<void> {
    const { signal } = this.#stopping;
    let cursor: string | undefined;
    do {
      const page = await this.collections.moving(PART, cursor);
      for (const collection of page.items) {
        if (signal.aborted) return;
        const name = placeOf(collectionSubject(collection));
        await this.renames
          .finish(collection, signal)
          .catch((error: unknown) =>
            this.log.warn({ name }, `A renaming could not be finished: ${messageOf(error)}`),
          );
      }
      ({ cursor } = page);
    } while (cursor !== undefined);
  }
}

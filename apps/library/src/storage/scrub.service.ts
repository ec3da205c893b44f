import { setTimeout as delay } from 'node:timers/promises';
import { type BeforeApplicationShutdown, Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { BlobStore } from '#libs/blobs';
import { ScsConfig } from '#libs/config';
import { type Clock, messageOf, newObjectId, parseDigest } from '#libs/core';
import { CLOCK, LOG, type Logger } from '#libs/server';
import { LIBRARY_LIMITS, type LibraryLimits } from '../limits.js';
import { BlobHealth } from './blobHealth.store.js';
import type { ScrubDocument } from './documents.store.js';
import { Pace } from './pace.js';
import { ScrubStore } from './scrub.store.js';

/** What looking at a blob costs besides its bytes, as bytes: there may be a million small ones. */
const BLOB_COST = 64 * 1024;
/** So many blobs in a row that cannot be looked at are no fault of theirs. */
const FAILURES = 3;
const LONGEST_PAUSE = 60 * 60 * 1000;

/**
 * Hashes all blobs again, one after the other, slowly: what a disk has changed is found before somebody pulls it. It goes round in
 * the order of the digests, so that the next one is always the one whose turn lies longest back, and goes on where it was after a
 * restart.
 */
@Injectable()
export class ScrubService implements OnModuleInit, BeforeApplicationShutdown {
  readonly #stopping = new AbortController();
  readonly #me = newObjectId();
  #running: Promise<void> | undefined;

  constructor(
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(LOG) private readonly log: Logger,
    @Inject(LIBRARY_LIMITS) private readonly limits: LibraryLimits,
    private readonly config: ScsConfig,
    private readonly blobs: BlobStore,
    private readonly health: BlobHealth,
    private readonly scrubs: ScrubStore,
  ) {}

  onModuleInit(): void {
    if (this.config.library.scrubRate > 0) this.#running = this.#run();
  }

  /** While the database still takes how far it has come. */
  async beforeApplicationShutdown(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  /**
   * Goes on with the round under way, or begins the next one when its time has come.
   * @returns after how many milliseconds it is worth asking again
   */
  async round(): Promise<number> {
    const now = this.#now();
    const found = await this.scrubs.get();
    if (found === undefined) {
      // What is there was hashed when it came: the first round is in a week.
      await this.scrubs.save(found, { ...this.#newRound(now), endedAt: now });
      return this.limits.scrubRound;
    }
    const { startedAt, endedAt, by, until } = found.value;
    if (endedAt !== undefined && now < startedAt + this.limits.scrubRound)
      return startedAt + this.limits.scrubRound - now;
    if (endedAt === undefined && by !== this.#me && until > now) return until - now;
    const state = endedAt === undefined ? found.value : this.#newRound(now);
    await this.#walk(state);
    return 0;
  }

  async #walk(begin: ScrubDocument): Promise<void> {
    const { signal } = this.#stopping;
    const pace = new Pace(this.config.library.scrubRate);
    let state = begin;
    let failures = 0;
    let savedAt = 0;
    const save = async (
      more: Partial<ScrubDocument>,
      force: boolean,
      lease: number = this.limits.scrubLease,
    ): Promise<void> => {
      state = { ...state, ...more };
      const now = this.#now();
      if (!force && now - savedAt < this.limits.scrubSave) return;
      savedAt = now;
      const known = await this.scrubs.get();
      if (known !== undefined && known.value.by !== this.#me && known.value.until > now)
        throw new TakenOver();
      if (!(await this.scrubs.save(known, { ...state, by: this.#me, until: now + lease })))
        throw new TakenOver();
    };
    const passed = async (bytes: number): Promise<void> => {
      await save({}, false);
      await pace.passed(bytes, signal);
    };
    try {
      await save({}, true);
      for (;;) {
        const after = state.after === undefined ? undefined : parseDigest(state.after);
        const page = await this.blobs.list(after, this.limits.scrubPage);
        if (page.length === 0) break;
        for (const { digest, size } of page) {
          await passed(BLOB_COST);
          try {
            await this.health.examine(digest, { signal, onBytes: passed });
            failures = 0;
          } catch (error) {
            if (signal.aborted || error instanceof TakenOver) throw error;
            failures += 1;
            if (failures >= FAILURES) throw error;
            this.log.warn({ hash: digest }, `A blob could not be looked at: ${messageOf(error)}`);
          }
          await save({ after: digest, blobs: state.blobs + 1, bytes: state.bytes + size }, false);
        }
      }
      await save({ endedAt: this.#now() }, true);
      this.log.info({ blobs: state.blobs, bytes: state.bytes }, 'All blobs were hashed again');
    } catch (error) {
      if (error instanceof TakenOver) return;
      if (!signal.aborted) throw error;
      // Whoever comes next goes on at once.
      await save({}, true, 0).catch(() => undefined);
    }
  }

  #newRound(now: number): ScrubDocument {
    return { startedAt: now, blobs: 0, bytes: 0, by: this.#me, until: 0 };
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      const pause = await this.round().catch((error: unknown) => {
        this.log.warn(`Blobs could not be hashed again: ${messageOf(error)}`);
        return this.limits.scrubLease;
      });
      const wait = Math.min(LONGEST_PAUSE, Math.max(1000, pause));
      await delay(wait, undefined, { signal, ref: false }).catch(() => undefined);
    }
  }

  #now(): number {
    return this.clock.now().getTime();
  }
}

/** Another process goes on with the round. */
class TakenOver extends Error {}

import { type BeforeApplicationShutdown, Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import type { Actor, DownloadsAnswer, DownloadsQuery } from '#libs/contract';
import { type Clock, DomainError, messageOf } from '#libs/core';
import { CLOCK, LOG, type Logger } from '#libs/server';
import { commitPlan, DATABASE, type Database } from '../database.store.js';
import { LIBRARY_LIMITS, type LibraryLimits } from '../limits.js';
import { ContainersStore } from '../tree/containers.store.js';
import { TreeService } from '../tree/tree.service.js';
import { type DownloadDayDocument, DownloadDaysStore } from './downloadDays.store.js';

const DAY = 24 * 60 * 60 * 1000;
/** Days that are answered when nobody says which. */
const USUAL = 30;

/**
 * Downloads of containers, by day. They are added up in memory and written down together, every ten seconds and at the end of the process:
 * pulls write nothing. What a killed process had not written is lost; what the database does not take is tried again.
 */
@Injectable()
export class DownloadCounts implements OnModuleInit, BeforeApplicationShutdown {
  /** By container and day. */
  #waiting = new Map<string, DownloadDayDocument>();
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> | undefined;

  constructor(
    @Inject(DATABASE) private readonly database: Database,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(LOG) private readonly log: Logger,
    @Inject(LIBRARY_LIMITS) private readonly limits: LibraryLimits,
    private readonly tree: TreeService,
    private readonly containers: ContainersStore,
    private readonly days: DownloadDaysStore,
  ) {}

  onModuleInit(): void {
    this.#timer = setInterval(() => void this.flush(), this.limits.downloadFlush).unref();
  }

  async beforeApplicationShutdown(): Promise<void> {
    clearInterval(this.#timer);
    await this.#writing;
    await this.flush();
  }

  /** One download more. Never fails. */
  count(container: string): void {
    this.#add({ container, day: dayOf(this.clock.now().getTime()), downloads: 1 });
    if (this.#waiting.size >= this.limits.downloadsWaiting) void this.flush();
  }

  /** Writes down what was counted. Never fails: it is tried again. */
  flush(): Promise<void> {
    this.#writing ??= this.#flush().finally(() => (this.#writing = undefined));
    return this.#writing;
  }

  /**
   * From one day to another, without days that had none.
   * @throws DomainError `not_found` for a container that the caller may not know of, `bad_request` for days in the wrong order
   */
  async of(
    path: string,
    { from, to }: DownloadsQuery,
    actor: Actor | undefined,
  ): Promise<DownloadsAnswer['data']> {
    const { id } = await this.tree.container(path, actor);
    const last = to ?? dayOf(this.clock.now().getTime());
    const first = from ?? dayOf(Date.parse(last) - (USUAL - 1) * DAY);
    if (first > last)
      throw new DomainError('bad_request', `Expected from before to, got from=${first} and to=${last}`, {
        reason: 'invalid_days',
      });
    const found = await this.days.between(id, first, last, this.limits.downloadDays + 1);
    const days = found.map(({ value: { day, downloads } }) => ({ day, downloads }));
    return { from: first, to: last, total: days.reduce((sum, one) => sum + one.downloads, 0), days };
  }

  /** Forgets days that lie too far back. @returns how many */
  async sweep(): Promise<number> {
    const first = dayOf(this.clock.now().getTime() - (this.limits.downloadDays - 1) * DAY);
    const old = await this.days.before(first, this.limits.sweepBatch);
    if (old.length > 0) await this.database.commit(old.map((one) => this.days.removal(one)));
    return old.length;
  }

  /** The days of a container that is gone. */
  async forget(container: string): Promise<void> {
    for (;;) {
      const days = await this.days.ofContainer(container, this.limits.sweepBatch);
      if (days.length === 0) return;
      await this.database.commit(days.map((one) => this.days.removal(one)));
    }
  }

  #add(more: DownloadDayDocument): void {
    const key = `${more.container}/${more.day}`;
    const known = this.#waiting.get(key);
    if (known !== undefined) known.downloads += more.downloads;
    // More than that wait only where the database takes nothing.
    else if (this.#waiting.size < this.limits.downloadsWaiting) this.#waiting.set(key, more);
  }

  async #flush(): Promise<void> {
    const waiting = [...this.#waiting.values()];
    this.#waiting = new Map();
    while (waiting.length > 0) {
      const part = waiting.slice(0, this.limits.downloadsPerCommit);
      try {
        await this.#write(part);
        waiting.splice(0, part.length);
      } catch (error) {
        this.log.warn(`Downloads could not be counted, which is tried again: ${messageOf(error)}`);
        for (const one of waiting) this.#add(one);
        return;
      }
    }
  }

  #write(part: readonly DownloadDayDocument[]): Promise<void> {
    return commitPlan(this.database, async () => {
      const there = new Set(
        (await this.containers.getMany([...new Set(part.map(({ container }) => container))])).map(
          ({ id }) => id,
        ),
      );
      // Nobody asks for those of a container that is gone.
      const counted = part.filter(({ container }) => there.has(container));
      const known = await this.days.known(counted);
      return {
        writes: counted.flatMap((one) => [
          this.containers.downloading(one.container, one.downloads),
          this.days.counting(one, known),
        ]),
        result: undefined,
      };
    });
  }
}

/** The day of a time in milliseconds since 1970, UTC. */
function dayOf(time: number): string {
  return new Date(time).toISOString().slice(0, 10);
}

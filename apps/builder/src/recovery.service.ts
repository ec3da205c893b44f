import { Inject, Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { type Clock, messageOf } from '#libs/core';
import { CLOCK, LOG, type Logger } from '#libs/server';
import { BuildEndings } from './build-endings.js';
import { BuildLogs } from './build-logs.js';
import { BuildQueue } from './build-queue.js';
import { BuildsStore } from './builds.store.js';
import { ContextsService } from './contexts.service.js';
import { JobsService } from './jobs.service.js';
import { LIMITS } from './limits.js';
import { isOver } from './present.js';

/**
 * Keeps queue and documents in line: builds that are to run are in the queue, builds that the queue gave up get their end, contexts that nobody
 * released and logs that nobody read for long go. Every step may be repeated and interrupted.
 */
@Injectable()
export class RecoveryService implements OnApplicationBootstrap, OnApplicationShutdown {
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;
  /** Milliseconds. */
  #nextLogSweep = 0;

  constructor(
    private readonly builds: BuildsStore,
    private readonly queue: BuildQueue,
    private readonly jobs: JobsService,
    private readonly endings: BuildEndings,
    private readonly contexts: ContextsService,
    private readonly logs: BuildLogs,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(LOG) private readonly log: Logger,
  ) {}

  onApplicationBootstrap(): void {
    this.#timer = setInterval(() => this.#run(() => this.recover()), LIMITS.recoverySeconds * 1000);
    this.#timer.unref();
    this.#run(async () => {
      await this.settle();
      await this.recover();
    });
  }

  async onApplicationShutdown(): Promise<void> {
    clearInterval(this.#timer);
    await this.#running;
  }

  #run(round: () => Promise<void>): void {
    this.#running ??= this.#quietly('Builds could not be looked after', round).finally(() => {
      this.#running = undefined;
    });
  }

  /** One round. What cannot be done for one build or context keeps nobody else waiting. */
  async recover(): Promise<void> {
    await this.#quietly('Builds that the queue gave up could not be ended', async () => {
      for (const { id, reason } of await this.queue.failed())
        await this.#quietly(`The build ${id} could not be ended`, async () => {
          await this.jobs.lost(id, whyFailed(reason));
          await this.queue.forget(id);
        });
    });
    // Adding what is queued already changes nothing; what Redis lost comes back.
    for (const status of ['InProgress', 'Pending'] as const) {
      for (const { id } of await this.builds.withStatus(status, LIMITS.listed)) await this.queue.add(id);
    }
    await this.#quietly('Build contexts could not be removed', () => this.contexts.sweep());
    await this.#quietly('Old build logs could not be removed', () => this.#sweepLogs());
  }

  /** After a start: builds whose end was recorded, but whose builder was killed before their log and their context had theirs. */
  async settle(): Promise<void> {
    const newest = { accountId: undefined, from: undefined, to: undefined, limit: LIMITS.listed };
    for (const { id, value } of await this.builds.list(newest))
      if (isOver(value) && !value.logComplete) await this.endings.settle(id, value);
  }

  async #sweepLogs(): Promise<void> {
    const now = this.clock.now().getTime();
    if (now < this.#nextLogSweep) return;
    this.#nextLogSweep = now + LIMITS.logSweepSeconds * 1000;
    const removed = await this.logs.sweep(new Date(now - LIMITS.logSeconds * 1000), async (id) => {
      const build = await this.builds.get(id);
      return build === undefined || isOver(build.value);
    });
    if (removed > 0) this.log.info({ removed }, 'Old build logs were removed');
  }

  async #quietly(what: string, work: () => Promise<void>): Promise<void> {
    await work().catch((error: unknown) => this.log.warn(`${what}: ${messageOf(error)}`));
  }
}

/** Why a job failed, for the author of the definition: BullMQ's own word means that its worker was gone without a word. */
function whyFailed(reason: string): string {
  return reason === '' || /stalled/i.test(reason)
    ? 'its worker was lost too often'
    : `its worker could not do it: ${reason}`;
}

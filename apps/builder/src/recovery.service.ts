import { Inject, Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { messageOf } from '#libs/core';
import { LOG, type Logger } from '#libs/server';
import { BuildQueue } from './build-queue.js';
import { BuildsStore } from './builds.store.js';
import { ContextsService } from './contexts.service.js';
import { JobsService } from './jobs.service.js';
import { LIMITS } from './limits.js';

/**
 * Keeps queue and documents in line: builds that are to run are in the queue, builds that the queue gave up get their end, contexts that nobody
 * released go. Every step may be repeated and interrupted.
 */
@Injectable()
export class RecoveryService implements OnApplicationBootstrap, OnApplicationShutdown {
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;

  constructor(
    private readonly builds: BuildsStore,
    private readonly queue: BuildQueue,
    private readonly jobs: JobsService,
    private readonly contexts: ContextsService,
    @Inject(LOG) private readonly log: Logger,
  ) {}

  onApplicationBootstrap(): void {
    this.#timer = setInterval(() => this.#run(), LIMITS.recoverySeconds * 1000);
    this.#timer.unref();
    this.#run();
  }

  async onApplicationShutdown(): Promise<void> {
    clearInterval(this.#timer);
    await this.#running;
  }

  #run(): void {
    this.#running ??= this.recover()
      .catch((error: unknown) => this.log.warn(`Builds could not be looked after: ${messageOf(error)}`))
      .finally(() => {
        this.#running = undefined;
      });
  }

  /** One round. */
  async recover(): Promise<void> {
    for (const { id } of await this.queue.failed()) {
      await this.jobs.lost(id, 'the worker was lost too often');
      await this.queue.forget(id);
    }
    // Adding what is queued already changes nothing; what Redis lost comes back.
    for (const status of ['InProgress', 'Pending'] as const) {
      for (const { id } of await this.builds.withStatus(status, LIMITS.listed)) await this.queue.add(id);
    }
    await this.contexts.sweep();
  }
}

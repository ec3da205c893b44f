import { Inject, Module, type OnApplicationBootstrap, type BeforeApplicationShutdown } from '@nestjs/common';
import { ScsConfig } from '#libs/config';
import type { Clock } from '#libs/core';
import { checkQueueAtStart, JobWorker, laneOfThisMachine } from '#libs/queue';
import { CLOCK, LOG, type Logger, ServiceKey } from '#libs/server';
import { BuildHandler } from './build.handler.js';
import { Connections } from './connections.js';
import { JobsFolder } from './jobs-folder.js';
import { LIMITS } from './limits.js';

/** The worker: takes build jobs and does them without privilege. */
@Module({
  providers: [
    {
      provide: ServiceKey,
      inject: [ScsConfig, CLOCK],
      useFactory: (config: ScsConfig, clock: Clock) =>
        ServiceKey.open({
          service: 'worker',
          dataFolder: config.dataFolder('worker'),
          home: config.home,
          clock,
        }),
    },
    Connections,
    JobsFolder,
    BuildHandler,
  ],
})
export class WorkerModule implements OnApplicationBootstrap, BeforeApplicationShutdown {
  #worker: JobWorker | undefined;

  constructor(
    private readonly handler: BuildHandler,
    private readonly jobs: JobsFolder,
    private readonly config: ScsConfig,
    @Inject(LOG) private readonly log: Logger,
  ) {}

  async onApplicationBootstrap(): Promise<void> {
    if (this.config.redisUrl === undefined) {
      this.log.warn('There is no queue: this worker does nothing');
      return;
    }
    await checkQueueAtStart(this.config.redisUrl);
    await this.jobs.open();
    this.#worker = await JobWorker.start({
      url: this.config.redisUrl,
      handlers: [this.handler],
      lane: laneOfThisMachine(),
      concurrency: LIMITS.concurrency,
      log: (message) => this.log.warn(message),
    });
  }

  /** Running builds are stopped and go back to the queue: they begin anew, here or elsewhere. */
  async beforeApplicationShutdown(): Promise<void> {
    await this.#worker?.close();
    await this.jobs.close();
  }
}

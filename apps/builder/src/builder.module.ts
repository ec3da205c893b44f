import { join } from 'node:path';
import { Inject, Module, type OnApplicationShutdown } from '@nestjs/common';
import { type BlobStore, openBlobs } from '#libs/blobs';
import { ScsConfig } from '#libs/config';
import { openDocuments } from '#libs/documents';
import { checkQueueAtStart, JobQueue, laneOfThisMachine } from '#libs/queue';
import {
  LOG,
  type Logger,
  provideClientAssertions,
  provideTokenExchange,
  provideTrail,
  Readiness,
  Service,
} from '#libs/server';
import { BuildEndings } from './build-endings.js';
import { BuildLogs } from './build-logs.js';
import { BuildNumbers } from './build-numbers.js';
import { BuildQueue } from './build-queue.js';
import { BuildsController } from './builds.controller.js';
import { ARCHITECTURE, BuildsService } from './builds.service.js';
import { BuildsStore } from './builds.store.js';
import { ContextsController } from './contexts.controller.js';
import { CONTEXT_BLOBS, ContextsService, UPLOAD_KEY } from './contexts.service.js';
import { ContextsStore } from './contexts.store.js';
import { ConvertController } from './convert.controller.js';
import { DATABASE, type Database } from './database.store.js';
import { JobsController } from './jobs.controller.js';
import { JobsService } from './jobs.service.js';
import { LogStream } from './log-stream.js';
import { RecoveryService } from './recovery.service.js';
import { Seal } from './sealed.js';
import { WorkerProof } from './worker-proof.js';

/** The remote builder: takes definitions, queues them, and keeps what workers report. */
@Service('builder')
@Module({
  controllers: [BuildsController, ContextsController, ConvertController, JobsController],
  providers: [
    {
      provide: DATABASE,
      inject: [ScsConfig, LOG],
      useFactory: (config: ScsConfig, log: Logger) =>
        openDocuments(config.databaseUrl('builder'), {
          service: 'builder',
          log: (message) => log.warn(message),
        }),
    },
    {
      provide: BuildQueue,
      inject: [ScsConfig, LOG],
      useFactory: async ({ redisUrl }: ScsConfig, log: Logger) => {
        if (redisUrl === undefined) return new BuildQueue(undefined, laneOfThisMachine());
        await checkQueueAtStart(redisUrl);
        return new BuildQueue(
          JobQueue.open(redisUrl, (message) => log.warn(message)),
          laneOfThisMachine(),
        );
      },
    },
    {
      provide: CONTEXT_BLOBS,
      inject: [ScsConfig],
      useFactory: (config: ScsConfig) => openBlobs(`file:${join(config.dataFolder('builder'), 'contexts')}`),
    },
    {
      provide: BuildLogs,
      inject: [ScsConfig],
      useFactory: (config: ScsConfig) => BuildLogs.open(join(config.dataFolder('builder'), 'logs')),
    },
    {
      provide: Seal,
      inject: [ScsConfig],
      useFactory: (config: ScsConfig) => Seal.open(config.dataFolder('builder')),
    },
    {
      provide: UPLOAD_KEY,
      inject: [Seal],
      useFactory: (seal: Seal) => seal.derive('build-context-upload'),
    },
    { provide: ARCHITECTURE, useFactory: () => laneOfThisMachine() },
    provideTokenExchange('builder'),
    provideTrail('builder', DATABASE),
    provideClientAssertions(DATABASE),
    WorkerProof,
    BuildsStore,
    ContextsStore,
    BuildEndings,
    BuildNumbers,
    BuildsService,
    ContextsService,
    JobsService,
    LogStream,
    RecoveryService,
  ],
})
export class BuilderModule implements OnApplicationShutdown {
  constructor(
    @Inject(DATABASE) private readonly database: Database,
    @Inject(CONTEXT_BLOBS) readonly contexts: BlobStore,
    private readonly queue: BuildQueue,
    readiness: Readiness,
  ) {
    readiness.register('builder database', () => database.ping());
  }

  async onApplicationShutdown(): Promise<void> {
    await this.queue.close();
    await this.database.close();
  }
}

import { Inject, Module, type OnApplicationShutdown } from '@nestjs/common';
import { ScsConfig } from '#libs/config';
import { openDocuments } from '#libs/documents';
import { LOG, type Logger, provideTrail, Readiness, Service } from '#libs/server';
import { AddController } from './add.controller.js';
import { ChangeEvents } from './change-events.js';
import { ChangesController } from './changes.controller.js';
import { ChangesStore } from './changes.store.js';
import { CertificatesStore } from './certificates.store.js';
import { DATABASE, type Database } from './database.store.js';
import { Hkp2Controller } from './hkp2/controller.js';
import { InTime } from './in-time.js';
import { LookupController } from './lookup.controller.js';
import { LookupService } from './lookup.service.js';
import { PageTokens } from './page-tokens.js';
import { Rates } from './rates.js';
import { Reads } from './reads.js';
import { SubmitService } from './submit.service.js';
import { Uploads } from './uploads.js';
import { WkdController } from './wkd/controller.js';

/** The keystore: OpenPGP certificates over HKP. */
@Service('keystore')
@Module({
  controllers: [LookupController, AddController, Hkp2Controller, WkdController, ChangesController],
  providers: [
    {
      provide: DATABASE,
      inject: [ScsConfig, LOG],
      useFactory: (config: ScsConfig, log: Logger) =>
        openDocuments(config.databaseUrl('keystore'), {
          service: 'keystore',
          log: (message) => log.warn(message),
        }),
    },
    provideTrail('keystore', DATABASE),
    {
      provide: PageTokens,
      inject: [ScsConfig],
      useFactory: (config: ScsConfig) => PageTokens.open(config.dataFolder('keystore')),
    },
    CertificatesStore,
    InTime,
    ChangesStore,
    ChangeEvents,
    LookupService,
    Rates,
    Reads,
    SubmitService,
    Uploads,
  ],
})
export class KeystoreModule implements OnApplicationShutdown {
  constructor(
    @Inject(DATABASE) private readonly database: Database,
    readiness: Readiness,
  ) {
    readiness.register('keystore database', () => database.ping());
  }

  async onApplicationShutdown(): Promise<void> {
    await this.database.close();
  }
}

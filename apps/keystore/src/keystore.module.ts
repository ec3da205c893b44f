import { Inject, Module, type OnApplicationShutdown } from '@nestjs/common';
import { Trail } from '#libs/audit';
import { ScsConfig } from '#libs/config';
import type { Clock } from '#libs/core';
import { openDocuments } from '#libs/documents';
import { CLOCK, LOG, type Logger, provideTrail, Readiness, Service } from '#libs/server';
import { AddCounts } from './add-counts.js';
import { AddController } from './add.controller.js';
import { BlocksController } from './blocks.controller.js';
import { BlocksService } from './blocks.service.js';
import { BlocksStore } from './blocks.store.js';
import { ChangeEvents } from './change-events.js';
import { ChangesController } from './changes.controller.js';
import { ChangesStore } from './changes.store.js';
import { CertificatesStore } from './certificates.store.js';
import { DATABASE, type Database } from './database.store.js';
import { ExpiryService } from './expiry.service.js';
import { ExpiryStore } from './expiry.store.js';
import { Hkp2Controller } from './hkp2/controller.js';
import { ImportService } from './import.service.js';
import { InTime } from './in-time.js';
import { KeyNumbers } from './key-numbers.js';
import { KeyringsController } from './keyrings.controller.js';
import { KeyringsService } from './keyrings.service.js';
import { KeyringsStore } from './keyrings.store.js';
import { KeysCount } from './keys-count.store.js';
import { KeysController } from './keys.controller.js';
import { LookupController } from './lookup.controller.js';
import { LookupService } from './lookup.service.js';
import { OwnersService } from './owners.service.js';
import { NoticesController } from './notices.controller.js';
import { NoticesService } from './notices.service.js';
import { NoticesStore } from './notices.store.js';
import { PageTokens } from './page-tokens.js';
import { Rates } from './rates.js';
import { Reads } from './reads.js';
import { SecretsStore } from './secrets.store.js';
import { SubmitService } from './submit.service.js';
import { UpkeepController } from './upkeep.controller.js';
import { UpkeepStore } from './upkeep.store.js';
import { Uploads } from './uploads.js';
import { VerifyPool } from './verify-pool.js';
import { WkdController } from './wkd/controller.js';

/** The keystore: OpenPGP certificates over HKP. */
@Service('keystore')
@Module({
  controllers: [
    LookupController,
    AddController,
    Hkp2Controller,
    WkdController,
    ChangesController,
    BlocksController,
    NoticesController,
    KeysController,
    KeyringsController,
    UpkeepController,
  ],
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
      provide: CertificatesStore,
      inject: [DATABASE, Trail, CLOCK],
      useFactory: (database: Database, trail: Trail, clock: Clock) =>
        new CertificatesStore(database, trail, clock),
    },
    {
      provide: PageTokens,
      inject: [SecretsStore],
      useFactory: async (secrets: SecretsStore) => new PageTokens(await secrets.get('page-tokens')),
    },
    {
      provide: NoticesStore,
      inject: [DATABASE, Trail, CLOCK],
      useFactory: (database: Database, trail: Trail, clock: Clock) =>
        new NoticesStore(database, trail, clock),
    },
    NoticesService,
    InTime,
    AddCounts,
    KeyNumbers,
    KeysCount,
    ChangesStore,
    ChangeEvents,
    SecretsStore,
    OwnersService,
    VerifyPool,
    ImportService,
    UpkeepStore,
    KeyringsStore,
    KeyringsService,
    BlocksStore,
    BlocksService,
    ExpiryStore,
    ExpiryService,
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
    private readonly pool: VerifyPool,
    readiness: Readiness,
  ) {
    readiness.register('keystore database', () => database.ping());
  }

  async onApplicationShutdown(): Promise<void> {
    await this.pool.close();
    await this.database.close();
  }
}

import { readFile } from 'node:fs/promises';
import { type DynamicModule, Inject, Module, type OnApplicationShutdown } from '@nestjs/common';
import { Trail } from '#libs/audit';
import { BlobStore, openBlobs } from '#libs/blobs';
import { ScsConfig } from '#libs/config';
import type { Clock } from '#libs/core';
import { openDocuments } from '#libs/documents';
import { CLOCK, LOG, type Logger, provideTrail, Readiness, Service } from '#libs/server';
import { BlobHealth } from './storage/blobHealth.store.js';
import { BegunService } from './uploads/begun.service.js';
import { CollectionsStore } from './tree/collections.store.js';
import { EventCursors } from './events/cursors.js';
import { EventReader } from './events/eventReader.service.js';
import { EventsController } from './events/events.controller.js';
import { EventStreamsService } from './events/eventStreams.service.js';
import { EventFeed } from './events/feed.store.js';
import { Sequencer } from './events/sequencer.service.js';
import { ContainersStore } from './tree/containers.store.js';
import { AccountsStore } from './storage/accounts.store.js';
import { ContentsStore } from './storage/contents.store.js';
import { DATABASE, type Database } from './database.store.js';
import { DownloadProofs } from './downloads/downloadProofs.js';
import { DownloadCounts } from './downloads/downloadCounts.service.js';
import { DownloadDaysController } from './downloads/downloadDays.controller.js';
import { DownloadDaysStore } from './downloads/downloadDays.store.js';
import { DownloadsController } from './downloads/downloads.controller.js';
import { DownloadsService } from './downloads/downloads.service.js';
import { EntitiesStore } from './tree/entities.store.js';
import { FinishUploadService } from './uploads/finishUpload.service.js';
import { DetailsController } from './images/details.controller.js';
import { DetailsService } from './images/details.service.js';
import { ImagesController } from './images/images.controller.js';
import { ImagesService } from './images/images.service.js';
import { ProtectionService } from './images/protection.service.js';
import { ImagesStore } from './images/images.store.js';
import { LIBRARY_LIMITS, type LibraryLimits, LIMITS } from './limits.js';
import { AccountsController } from './manage/accounts.controller.js';
import { AccountsService } from './manage/accounts.service.js';
import { ChangesService } from './manage/changes.service.js';
import { CollectionRenameService } from './manage/collectionRename.service.js';
import { UnfinishedRenames } from './manage/unfinishedRenames.service.js';
import { ContainerChangesService } from './manage/containerChanges.service.js';
import { LibraryNumbers } from './storage/libraryNumbers.js';
import { ListsController } from './manage/lists.controller.js';
import { ListsService } from './manage/lists.service.js';
import { ManageController } from './manage/manage.controller.js';
import { DailyRetention } from './manage/dailyRetention.service.js';
import { LeasesStore } from './manage/leases.store.js';
import { RetainerService } from './manage/retainer.service.js';
import { RetentionService } from './manage/retention.service.js';
import { RemovalsService } from './manage/removals.service.js';
import { NamesStore } from './tree/names.store.js';
import { ScrubService } from './storage/scrub.service.js';
import { ScrubStore } from './storage/scrub.store.js';
import { SearchController } from './search/search.controller.js';
import { ImageSearchService } from './search/imageSearch.service.js';
import { ImageTermsService } from './search/imageTerms.service.js';
import { SearchCursors } from './search/searchCursors.js';
import { SearchService } from './search/search.service.js';
import { DoorService } from './signers/door.service.js';
import { KeystoreKeys } from './signers/keystoreKeys.js';
import { SignaturesController } from './signers/signatures.controller.js';
import { SignaturesStore } from './signers/signatures.store.js';
import { SignerChecks } from './signers/signerChecks.service.js';
import { SignerLosses } from './signers/signerLosses.js';
import { SignersService } from './signers/signers.service.js';
import { SweepService } from './storage/sweep.service.js';
import { StarsController } from './stars/stars.controller.js';
import { StarsService } from './stars/stars.service.js';
import { StarsStore } from './stars/stars.store.js';
import { TagsController } from './images/tags.controller.js';
import { TagsService } from './images/tags.service.js';
import { TagsStore } from './images/tags.store.js';
import { TermsStore } from './search/terms.store.js';
import { TreeController } from './tree/tree.controller.js';
import { TreeService } from './tree/tree.service.js';
import { loadUploadKey } from './uploads/uploadKey.js';
import { UpkeepController } from './check/upkeep.controller.js';
import { UpkeepStore } from './check/upkeep.store.js';
import { UploadsController } from './uploads/uploads.controller.js';
import { BeginUploadService } from './uploads/beginUpload.service.js';
import { CompleteUploadService } from './uploads/completeUpload.service.js';
import { OpenUploadsService } from './uploads/openUploads.service.js';
import { WholeUploadService } from './uploads/wholeUpload.service.js';
import { RawUploadService } from './uploads/rawUpload.service.js';
import { ReceiveUploadService } from './uploads/receiveUpload.service.js';
import { UploadsStore } from './uploads/uploads.store.js';
import { UploadUrls } from './uploads/uploadUrls.js';
import { UsageService } from './storage/usage.service.js';
import { Reachable } from './webhooks/addresses.js';
import { DeliveriesService } from './webhooks/deliveries.service.js';
import { DeliveriesStore } from './webhooks/deliveries.store.js';
import { WebhookSecrets } from './webhooks/secrets.js';
import { Sender } from './webhooks/send.js';
import { WebhooksController } from './webhooks/webhooks.controller.js';
import { WebhooksService } from './webhooks/webhooks.service.js';
import { WebhooksStore } from './webhooks/webhooks.store.js';
import { WebhookWorker } from './webhooks/webhookWorker.service.js';

/** The library: entities, collections, containers, images and tags; uploads, downloads and search. */
@Service('library')
@Module({
  controllers: [
    TreeController,
    ImagesController,
    DetailsController,
    TagsController,
    UploadsController,
    DownloadsController,
    SearchController,
    UpkeepController,
    ListsController,
    ManageController,
    SignaturesController,
    AccountsController,
    StarsController,
    DownloadDaysController,
    EventsController,
    WebhooksController,
  ],
  providers: [
    {
      provide: DATABASE,
      inject: [ScsConfig, LOG],
      useFactory: (config: ScsConfig, log: Logger) =>
        openDocuments(config.databaseUrl('library'), {
          service: 'library',
          log: (message) => log.warn(message),
        }),
    },
    {
      provide: BlobStore,
      inject: [ScsConfig],
      useFactory: (config: ScsConfig) => openBlobs(config.blobsUrl, config.s3),
    },
    {
      provide: UploadUrls,
      inject: [ScsConfig],
      useFactory: async (config: ScsConfig) =>
        new UploadUrls(await loadUploadKey(config.dataFolder('library')), config.serviceUrl('library')),
    },
    {
      provide: DownloadProofs,
      inject: [ScsConfig],
      useFactory: async (config: ScsConfig) =>
        new DownloadProofs(await loadUploadKey(config.dataFolder('library'))),
    },
    {
      provide: SearchCursors,
      inject: [ScsConfig],
      useFactory: async (config: ScsConfig) =>
        new SearchCursors(await loadUploadKey(config.dataFolder('library'))),
    },
    {
      provide: EventCursors,
      inject: [ScsConfig],
      useFactory: async (config: ScsConfig) =>
        new EventCursors(await loadUploadKey(config.dataFolder('library'))),
    },
    {
      provide: WebhookSecrets,
      inject: [ScsConfig],
      useFactory: async (config: ScsConfig) =>
        new WebhookSecrets(await loadUploadKey(config.dataFolder('library'))),
    },
    {
      provide: Reachable,
      inject: [ScsConfig],
      useFactory: (config: ScsConfig) => new Reachable(config.library.webhookNetworks),
    },
    {
      provide: Sender,
      inject: [ScsConfig, Reachable],
      useFactory: async ({ library }: ScsConfig, reachable: Reachable) =>
        new Sender(
          reachable,
          library.webhookCaFile === undefined ? undefined : await readFile(library.webhookCaFile, 'utf8'),
        ),
    },
    { provide: LIBRARY_LIMITS, useValue: LIMITS },
    provideTrail('library', DATABASE),
    {
      provide: BlobHealth,
      inject: [DATABASE, BlobStore, Trail, CLOCK, LOG],
      useFactory: (database: Database, blobs: BlobStore, trail: Trail, clock: Clock, log: Logger) =>
        new BlobHealth({
          database,
          blobs,
          trail,
          clock,
          onDamage: (hash, reason) =>
            log.error(
              { hash, reason },
              'A blob is damaged: its images are not served until the same content is pushed again',
            ),
        }),
    },
    { provide: ScrubStore, inject: [DATABASE], useFactory: (database: Database) => new ScrubStore(database) },
    AccountsStore,
    CollectionsStore,
    ContainersStore,
    ContentsStore,
    DownloadDaysStore,
    EntitiesStore,
    ImagesStore,
    LeasesStore,
    NamesStore,
    StarsStore,
    TagsStore,
    TermsStore,
    UploadsStore,
    BegunService,
    LibraryNumbers,
    TreeService,
    ImagesService,
    ProtectionService,
    TagsService,
    UsageService,
    OpenUploadsService,
    BeginUploadService,
    ReceiveUploadService,
    CompleteUploadService,
    RawUploadService,
    WholeUploadService,
    FinishUploadService,
    DownloadCounts,
    DownloadsService,
    SearchService,
    ImageSearchService,
    ImageTermsService,
    DetailsService,
    SweepService,
    ScrubService,
    UpkeepStore,
    ListsService,
    AccountsService,
    ChangesService,
    CollectionRenameService,
    UnfinishedRenames,
    ContainerChangesService,
    RemovalsService,
    RetainerService,
    RetentionService,
    DoorService,
    KeystoreKeys,
    SignaturesStore,
    SignerChecks,
    SignerLosses,
    SignersService,
    DailyRetention,
    StarsService,
    EventFeed,
    Sequencer,
    EventReader,
    EventStreamsService,
    WebhooksStore,
    DeliveriesStore,
    DeliveriesService,
    WebhooksService,
    WebhookWorker,
  ],
})
export class LibraryModule implements OnApplicationShutdown {
  constructor(
    @Inject(DATABASE) private readonly database: Database,
    blobs: BlobStore,
    readiness: Readiness,
  ) {
    readiness.register('library database', () => database.ping());
    readiness.register('library blobs', () => blobs.ping());
  }

  /** The same with other bounds, for tests at their edges. */
  static with(limits: Partial<LibraryLimits>): DynamicModule {
    const provider = { provide: LIBRARY_LIMITS, useValue: { ...LIMITS, ...limits } };
    return { module: LibraryModule, providers: [provider] };
  }

  async onApplicationShutdown(): Promise<void> {
    await this.database.close();
  }
}

import { type DynamicModule, Inject, Module, type OnApplicationShutdown } from '@nestjs/common';
import { BlobStore, openBlobs } from '#libs/blobs';
import { ScsConfig } from '#libs/config';
import { openDocuments } from '#libs/documents';
import { LOG, type Logger, provideTrail, Readiness, Service } from '#libs/server';
import { BegunService } from './begun.service.js';
import { CollectionsStore } from './collections.store.js';
import { ContainersStore } from './containers.store.js';
import { ContentsStore } from './contents.store.js';
import { DATABASE, type Database } from './database.store.js';
import { DownloadProofs } from './downloadProofs.js';
import { DownloadsController } from './downloads.controller.js';
import { DownloadsService } from './downloads.service.js';
import { EntitiesStore } from './entities.store.js';
import { FinishUploadService } from './finishUpload.service.js';
import { ImagesController } from './images.controller.js';
import { ImagesService } from './images.service.js';
import { ImagesStore } from './images.store.js';
import { LIBRARY_LIMITS, type LibraryLimits, LIMITS } from './limits.js';
import { LibraryNumbers } from './library-numbers.js';
import { NamesStore } from './names.store.js';
import { SearchController } from './search.controller.js';
import { SearchService } from './search.service.js';
import { SweepService } from './sweep.service.js';
import { TagsController } from './tags.controller.js';
import { TagsService } from './tags.service.js';
import { TagsStore } from './tags.store.js';
import { TermsStore } from './terms.store.js';
import { TreeController } from './tree.controller.js';
import { TreeService } from './tree.service.js';
import { loadUploadKey } from './uploadKey.js';
import { UploadsController } from './uploads.controller.js';
import { UploadsService } from './uploads.service.js';
import { UploadsStore } from './uploads.store.js';
import { UploadUrls } from './uploadUrls.js';
import { UsageService } from './usage.service.js';

/** The library: entities, collections, containers, images and tags; uploads, downloads and search. */
@Service('library')
@Module({
  controllers: [
    TreeController,
    ImagesController,
    TagsController,
    UploadsController,
    DownloadsController,
    SearchController,
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
      useFactory: (config: ScsConfig) => openBlobs(config.blobsUrl),
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
    { provide: LIBRARY_LIMITS, useValue: LIMITS },
    provideTrail('library', DATABASE),
    CollectionsStore,
    ContainersStore,
    ContentsStore,
    EntitiesStore,
    ImagesStore,
    NamesStore,
    TagsStore,
    TermsStore,
    UploadsStore,
    BegunService,
    LibraryNumbers,
    TreeService,
    ImagesService,
    TagsService,
    UsageService,
    UploadsService,
    FinishUploadService,
    DownloadsService,
    SearchService,
    SweepService,
  ],
})
export class LibraryModule implements OnApplicationShutdown {
  constructor(
    @Inject(DATABASE) private readonly database: Database,
    readiness: Readiness,
  ) {
    readiness.register('library database', () => database.ping());
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

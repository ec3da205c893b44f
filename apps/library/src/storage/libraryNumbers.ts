import { Injectable } from '@nestjs/common';
import { METRICS, Metrics } from '#libs/server';
import { EntitiesStore } from '../tree/entities.store.js';
import { LIMITS } from '../limits.js';

/** What the metrics say of the images that there are. */
@Injectable()
export class LibraryNumbers {
  constructor(metrics: Metrics, entities: EntitiesStore) {
    metrics.gauge(
      {
        name: 'scs_library_held_bytes',
        help: `Bytes that all entities use, equal images of one counted once; not there beyond ${LIMITS.countedEntities} entities`,
        every: METRICS.countedSeconds,
      },
      async () => {
        const value = await entities.totalSize(LIMITS.countedEntities);
        return value === undefined ? [] : [{ value }];
      },
    );
  }
}

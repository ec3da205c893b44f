import { Inject, Injectable } from '@nestjs/common';
import type { Collection, Stored } from '#libs/documents';
import { type Change, DATABASE, type Database } from '../database.store.js';
import {
  DOWNLOAD_DAYS,
  type DownloadDayDocument,
  downloadDayId,
  type DownloadDayIndex,
} from './documents.store.js';

export type { DownloadDayDocument } from './documents.store.js';
type DownloadDay = Stored<DownloadDayDocument>;

/** Downloads by container and day. */
@Injectable()
export class DownloadDaysStore {
  readonly #days: Collection<DownloadDayDocument, DownloadDayIndex>;

  constructor(@Inject(DATABASE) database: Database) {
    this.#days = database.collection<DownloadDayDocument, DownloadDayIndex>(DOWNLOAD_DAYS);
  }

  /** Which of these days are written down, of whichever containers. */
  async known(days: readonly Omit<DownloadDayDocument, 'downloads'>[]): Promise<ReadonlySet<string>> {
    const ids = days.map(({ container, day }) => downloadDayId(container, day));
    return new Set((await this.#days.getMany(ids)).map(({ id }) => id));
  }

  /** @param known what {@link known} said. Fails with `exists` or `missing` where that is no longer so */
  counting(more: DownloadDayDocument, known: ReadonlySet<string>): Change {
    const id = downloadDayId(more.container, more.day);
    return known.has(id)
      ? this.#days.write.increment(id, 'downloads', more.downloads)
      : this.#days.write.insert(id, more);
  }

  /** Of a container, from one day to another, both included, by day. */
  async between(container: string, from: string, to: string, limit: number): Promise<readonly DownloadDay[]> {
    // Behind a day, and before the next one.
    const range = { from, before: `${to} `, limit };
    return (await this.#days.scan('byContainer', { equal: [container], ...range })).items;
  }

  async ofContainer(container: string, limit: number): Promise<readonly DownloadDay[]> {
    return (await this.#days.scan('byContainer', { equal: [container], limit })).items;
  }

  async before(day: string, limit: number): Promise<readonly DownloadDay[]> {
    return (await this.#days.scan('byDay', { before: day, limit })).items;
  }

  removal({ id }: DownloadDay): Change {
    return this.#days.write.delete(id);
  }
}

import { Inject, Injectable } from '@nestjs/common';
import type { Collection } from '#libs/documents';
import { DATABASE, type Database } from '../database.store.js';
import { type LeaseDocument, LEASES } from './documents.store.js';

/** What one process does for all that share a database. */
@Injectable()
export class LeasesStore {
  readonly #leases: Collection<LeaseDocument, never>;

  constructor(@Inject(DATABASE) database: Database) {
    this.#leases = database.collection<LeaseDocument, never>(LEASES);
  }

  /**
   * Takes or renews it.
   * @param wish who wants it, now and until when, in milliseconds since 1970
   * @returns false while another process has it
   */
  async take(
    name: string,
    { by, now, until }: { readonly by: string; readonly now: number; readonly until: number },
  ): Promise<boolean> {
    const lease = await this.#leases.get(name);
    if (lease === undefined) return (await this.#leases.insert(name, { by, until })) === 'inserted';
    if (lease.value.by !== by && lease.value.until > now) return false;
    return (await this.#leases.replace(name, lease.revision, { by, until })) === 'replaced';
  }
}

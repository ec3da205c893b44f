import { Inject, Injectable } from '@nestjs/common';
import type { Collection, ScanResult } from '#libs/documents';
import { type Change, DATABASE, type Database } from '../database.store.js';
import { type Star, type StarDocument, starId, type StarIndex, STARS } from './documents.store.js';

export type { Star } from './documents.store.js';

/** Stars: one document for each account and container. */
@Injectable()
export class StarsStore {
  readonly #stars: Collection<StarDocument, StarIndex>;

  constructor(@Inject(DATABASE) database: Database) {
    this.#stars = database.collection<StarDocument, StarIndex>(STARS);
  }

  get(account: string, container: string): Promise<Star | undefined> {
    return this.#stars.get(starId(account, container));
  }

  /** Of an account, the latest first. @throws DomainError `bad_request` for a cursor of another list */
  ofAccount(
    account: string,
    { limit, cursor }: { readonly limit: number; readonly cursor?: string | undefined },
  ): Promise<ScanResult<StarDocument>> {
    const place = cursor === undefined ? {} : { cursor };
    return this.#stars.scan('byAccount', { equal: [account], direction: 'descending', limit, ...place });
  }

  async ofContainer(container: string, limit: number): Promise<readonly Star[]> {
    return (await this.#stars.scan('byContainer', { equal: [container], limit })).items;
  }

  /** Fails with `exists`. */
  creation(star: StarDocument): Change {
    return this.#stars.write.insert(starId(star.account, star.container), star);
  }

  /** Compare and set. */
  removal({ id, revision }: Star): Change {
    return this.#stars.write.delete(id, revision);
  }
}

import { Inject, Injectable } from '@nestjs/common';
import type { Collection as DocumentCollection } from '#libs/documents';
import { type Change, DATABASE, type Database, TryAgain } from '../database.store.js';
import { LIMITS } from '../limits.js';
import {
  type ContentDocument,
  type ContentIndex,
  CONTENTS,
  type Holding,
  type HoldingDocument,
  holdingId,
  type HoldingIndex,
  HOLDINGS,
} from './documents.store.js';

/** Who needs which blob. The blob store itself knows nothing of that. */
@Injectable()
export class ContentsStore {
  readonly #contents: DocumentCollection<ContentDocument, ContentIndex>;
  readonly #holdings: DocumentCollection<HoldingDocument, HoldingIndex>;

  constructor(@Inject(DATABASE) database: Database) {
    this.#contents = database.collection<ContentDocument, ContentIndex>(CONTENTS);
    this.#holdings = database.collection<HoldingDocument, HoldingIndex>(HOLDINGS);
  }

  holding(entity: string, hash: string): Promise<Holding | undefined> {
    return this.#holdings.get(holdingId(entity, hash));
  }

  /** The first image of the entity has this content, which the account brings. */
  heldFirst(entity: string, hash: string, size: number, account: string): Change {
    return this.#holdings.write.insert(holdingId(entity, hash), { size, images: 1, account });
  }

  /** One more image of the entity has this content. */
  heldOnceMore({ id, revision, value }: Holding): Change {
    return this.#holdings.write.replace(id, revision, { ...value, images: value.images + 1 });
  }

  /** One image of the entity less has this content. */
  heldOnceLess({ id, revision, value }: Holding): Change {
    return value.images <= 1
      ? this.#holdings.write.delete(id, revision)
      : this.#holdings.write.replace(id, revision, { ...value, images: value.images - 1 });
  }

  /** @throws TryAgain while the blob is being removed */
  async claim(hash: string, size: number): Promise<Change> {
    const found = await this.#contents.get(hash);
    if (found === undefined) return this.#contents.write.insert(hash, { size, claims: 1, state: 'claimed' });
    if (found.value.state === 'removing') throw new TryAgain();
    return this.#contents.write.replace(hash, found.revision, {
      ...found.value,
      claims: found.value.claims + 1,
    });
  }

  /** `last`: the blob is nobody's any more. Remove it, then {@link forget} it. */
  async release(hash: string, now: number): Promise<{ change: Change; last: boolean } | undefined> {
    const found = await this.#contents.get(hash);
    if (found === undefined || found.value.state === 'removing') return undefined;
    const claims = found.value.claims - 1;
    const last = claims <= 0;
    const { size } = found.value;
    const value: ContentDocument = last
      ? { size, claims, state: 'removing', removingSince: now }
      : { size, claims, state: 'claimed' };
    return { change: this.#contents.write.replace(hash, found.revision, value), last };
  }

  /** After the blob was removed. */
  async forget(hash: string): Promise<void> {
    const found = await this.#contents.get(hash);
    if (found?.value.state === 'removing') await this.#contents.delete(hash, found.revision);
  }

  async isRemoving(hash: string): Promise<boolean> {
    return (await this.#contents.get(hash))?.value.state === 'removing';
  }

  /** Hashes of blobs whose removal was begun until `time`. */
  async removing(time: number): Promise<string[]> {
    const { items } = await this.#contents.scan('byState', { equal: ['removing'], limit: LIMITS.sweepBatch });
    return items.filter(({ value }) => (value.removingSince ?? 0) <= time).map(({ id }) => id);
  }
}

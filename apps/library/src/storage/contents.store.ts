import { Inject, Injectable } from '@nestjs/common';
import { z } from 'zod';
import type { Collection as DocumentCollection, CollectionSpec, Stored } from '#libs/documents';
import { type Change, DATABASE, type Database, TryAgain } from '../database.store.js';
import { LIMITS } from '../limits.js';

/** A blob that somebody needs. It may be removed only by whoever turns the last claim into `removing`. */
const ContentDocument = z.object({
  size: z.number(),
  /** How many entities have an image of it, and how many uploads are under way. */
  claims: z.number(),
  state: z.enum(['claimed', 'removing']),
  /** When the removal began, in milliseconds since 1970. */
  removingSince: z.number().optional(),
});
type ContentDocument = z.infer<typeof ContentDocument>;

/** That an entity has images of a content: it is counted once, however many there are. Its id is `entity/hash`. */
const HoldingDocument = z.object({ size: z.number(), images: z.number() });
type HoldingDocument = z.infer<typeof HoldingDocument>;

type Index = 'byState';
const CONTENTS = {
  name: 'contents',
  schema: ContentDocument,
  indexes: { byState: { fields: ['state'] } },
} as const satisfies CollectionSpec<ContentDocument>;
const HOLDINGS = {
  name: 'holdings',
  schema: HoldingDocument,
  indexes: {},
} as const satisfies CollectionSpec<HoldingDocument>;

export type Holding = Stored<HoldingDocument>;

/** Who needs which blob. The blob store itself knows nothing of that. */
@Injectable()
export class ContentsStore {
  readonly #contents: DocumentCollection<ContentDocument, Index>;
  readonly #holdings: DocumentCollection<HoldingDocument, never>;

  constructor(@Inject(DATABASE) database: Database) {
    this.#contents = database.collection<ContentDocument, Index>(CONTENTS);
    this.#holdings = database.collection<HoldingDocument, never>(HOLDINGS);
  }

  holding(entity: string, hash: string): Promise<Holding | undefined> {
    return this.#holdings.get(`${entity}/${hash}`);
  }

  /** One more image of the entity has this content. */
  heldOnceMore(entity: string, hash: string, size: number, holding: Holding | undefined): Change {
    return holding === undefined
      ? this.#holdings.write.insert(`${entity}/${hash}`, { size, images: 1 })
      : this.#holdings.write.replace(holding.id, holding.revision, {
          size,
          images: holding.value.images + 1,
        });
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

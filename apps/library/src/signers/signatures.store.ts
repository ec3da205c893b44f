import { Inject, Injectable } from '@nestjs/common';
import type { Collection } from '#libs/documents';
import { type Change, DATABASE, type Database } from '../database.store.js';
import type { Image } from '../images/images.store.js';
import {
  type ClaimDocument,
  claimId,
  type ClaimIndex,
  CLAIMS,
  FEED,
  FEED_ID,
  type FeedDocument,
  type Knowledge,
  SIGNED_IMAGES,
  type SignedImage,
  type SignedImageDocument,
  type SignedImageIndex,
} from './documents.store.js';

export type { Knowledge, SignedImage } from './documents.store.js';

/** What is known of signatures, by image, by key and by when it is looked at again. */
@Injectable()
export class SignaturesStore {
  readonly #images: Collection<SignedImageDocument, SignedImageIndex>;
  readonly #claims: Collection<ClaimDocument, ClaimIndex>;
  readonly #feed: Collection<FeedDocument, never>;

  constructor(@Inject(DATABASE) database: Database) {
    this.#images = database.collection<SignedImageDocument, SignedImageIndex>(SIGNED_IMAGES);
    this.#claims = database.collection<ClaimDocument, ClaimIndex>(CLAIMS);
    this.#feed = database.collection<FeedDocument, never>(FEED);
  }

  get(image: string): Promise<SignedImage | undefined> {
    return this.#images.get(image);
  }

  /** Those whose time has come, longest waiting first. */
  async due(now: number, limit: number): Promise<readonly SignedImage[]> {
    return (await this.#images.scan('byDue', { before: now + 1, limit })).items;
  }

  /** Whether any image has a signature that names a key: without one nobody asks the keystore anything. */
  async hasClaims(): Promise<boolean> {
    return (await this.#claims.scan('byKey', { limit: 1 })).items.length > 0;
  }

  /** Images with a signature that names this key, page by page in the order of their ids. */
  async claimedBy(
    fingerprint: string,
    { limit, after }: { readonly limit: number; readonly after: string },
  ): Promise<string[]> {
    const from = after === '' ? {} : { from: `${after}\0` };
    const { items } = await this.#claims.scan('byKey', { equal: [fingerprint], ...from, limit });
    return items.map(({ value }) => value.image);
  }

  /** What is known of an image from now on, and by which keys it is found. @param fingerprints that its signatures name */
  announcing(image: string, fingerprints: readonly string[], value: Knowledge): Change[] {
    return [
      this.#images.write.put(image, { ...value, image }),
      ...fingerprints.map((fingerprint) =>
        this.#claims.write.put(claimId({ fingerprint, image }), { fingerprint, image }),
      ),
    ];
  }

  /** Compare and set. */
  replacement({ id, revision }: SignedImage, value: Knowledge): Change {
    return this.#images.write.replace(id, revision, { ...value, image: id });
  }

  /** An image goes; none of one without signatures. */
  removing({ id, value: { signed, fingerprints } }: Image): Change[] {
    if (!signed) return [];
    return [
      this.#images.write.delete(id),
      ...fingerprints.map((fingerprint) => this.#claims.write.delete(claimId({ fingerprint, image: id }))),
    ];
  }

  /** What is left of an image that is not there. */
  async forget(image: string): Promise<void> {
    await this.#images.delete(image);
  }

  async position(): Promise<number> {
    return (await this.#feed.get(FEED_ID))?.value.after ?? 0;
  }

  /** With several processes the earlier position may win: what is read twice is looked at twice. */
  async remember(after: number): Promise<void> {
    await this.#feed.put(FEED_ID, { after });
  }
}

import { Inject, Injectable } from '@nestjs/common';
import { z } from 'zod';
import type { Collection as DocumentCollection, CollectionSpec, ScanResult, Stored } from '#libs/documents';
import { type Change, DATABASE, type Database } from '../database.store.js';
import { NOTHING } from '../missing.js';

const ImageDocument = z.object({
  /** Id. */
  container: z.string(),
  hash: z.string(),
  description: z.string(),
  customData: z.string(),
  /** The bytes are there, checked and durable. */
  uploaded: z.boolean(),
  /** Bytes; 0 until then, like everything below. */
  size: z.number(),
  format: z.enum(['sif', 'other']),
  arch: z.string().optional(),
  signed: z.boolean(),
  encrypted: z.boolean(),
  fingerprints: z.array(z.string()),
  /** The last day on which somebody pulled it. */
  pulledAt: z.string().optional(),
  createdBy: z.string(),
  createdAt: z.string(),
});
export type ImageDocument = z.infer<typeof ImageDocument>;
export type Image = Stored<ImageDocument>;

const HashDocument = z.object({ image: z.string() });
type HashDocument = z.infer<typeof HashDocument>;

type Index = 'byContainer' | 'byHash';
const IMAGES = {
  name: 'images',
  schema: ImageDocument,
  indexes: { byContainer: { fields: ['container', 'createdAt'] }, byHash: { fields: ['hash'] } },
} as const satisfies CollectionSpec<ImageDocument>;
const HASHES = {
  name: 'imageHashes',
  schema: HashDocument,
  indexes: {},
} as const satisfies CollectionSpec<HashDocument>;

/** Images by id, by container and hash, and in order. */
@Injectable()
export class ImagesStore {
  readonly #images: DocumentCollection<ImageDocument, Index>;
  /** A container has at most one image of a hash: its id is `container/hash`. */
  readonly #hashes: DocumentCollection<HashDocument, never>;

  constructor(@Inject(DATABASE) database: Database) {
    this.#images = database.collection<ImageDocument, Index>(IMAGES);
    this.#hashes = database.collection<HashDocument, never>(HASHES);
  }

  get(id: string): Promise<Image | undefined> {
    return this.#images.get(id);
  }

  async findByHash(container: string, hash: string): Promise<Image | undefined> {
    const found = await this.#hashes.get(hashId(container, hash));
    return this.#images.get(found?.value.image ?? NOTHING);
  }

  /** Newest first. */
  async ofContainer(container: string, limit: number): Promise<readonly Image[]> {
    return (await this.#images.scan('byContainer', { equal: [container], direction: 'descending', limit }))
      .items;
  }

  /** Newest first, page by page. @throws DomainError `bad_request` for a cursor of another list */
  page(
    container: string,
    { limit, cursor }: { readonly limit: number; readonly cursor?: string | undefined },
  ): Promise<ScanResult<ImageDocument>> {
    const place = cursor === undefined ? {} : { cursor };
    return this.#images.scan('byContainer', { equal: [container], direction: 'descending', limit, ...place });
  }

  /** Images whose hash begins with these characters, in any container. */
  async withHash(beginning: string, limit: number): Promise<readonly Image[]> {
    return (await this.#images.scan('byHash', { from: beginning, before: `${beginning}g`, limit })).items;
  }

  /** Fails with `exists` when the container has an image of this hash. */
  creation(id: string, image: ImageDocument): Change[] {
    return [
      this.#hashes.write.insert(hashId(image.container, image.hash), { image: id }),
      this.#images.write.insert(id, image),
    ];
  }

  /**
   * Remembers the day of a pull: one write for each image and day. Informational, like the count: whoever was faster has said it.
   * @param day `YYYY-MM-DDT00:00:00.000Z`
   */
  async notePull(id: string, day: string): Promise<void> {
    const image = await this.#images.get(id);
    if (image === undefined || image.value.pulledAt === day) return;
    await this.#images.replace(id, image.revision, { ...image.value, pulledAt: day });
  }

  /** Compare and set. */
  replacement({ id, revision }: Image, value: ImageDocument): Change {
    return this.#images.write.replace(id, revision, value);
  }

  removal({ id, revision, value }: Image): Change[] {
    return [
      this.#images.write.delete(id, revision),
      this.#hashes.write.delete(hashId(value.container, value.hash)),
    ];
  }
}

function hashId(container: string, hash: string): string {
  return `${container}/${hash}`;
}

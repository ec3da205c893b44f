import { Inject, Injectable } from '@nestjs/common';
import type { Collection as DocumentCollection, ScanResult } from '#libs/documents';
import { type Change, DATABASE, type Database } from '../database.store.js';
import { NOTHING } from '../missing.js';
import {
  type HashDocument,
  HASHES,
  hashId,
  type HashIndex,
  type Image,
  type ImageDocument,
  type ImageIndex,
  IMAGES,
} from './documents.store.js';

export type { Image, ImageDocument } from './documents.store.js';

/** Images by id, by container and hash, and in order. */
@Injectable()
export class ImagesStore {
  readonly #images: DocumentCollection<ImageDocument, ImageIndex>;
  readonly #hashes: DocumentCollection<HashDocument, HashIndex>;

  constructor(@Inject(DATABASE) database: Database) {
    this.#images = database.collection<ImageDocument, ImageIndex>(IMAGES);
    this.#hashes = database.collection<HashDocument, HashIndex>(HASHES);
  }

  get(id: string): Promise<Image | undefined> {
    return this.#images.get(id);
  }

  getMany(ids: readonly string[]): Promise<readonly Image[]> {
    return this.#images.getMany(ids);
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

import { Inject, Injectable } from '@nestjs/common';
import { type Change, commitPlan, DATABASE, type Database } from '../database.store.js';
import { type Image, ImagesStore } from '../images/images.store.js';
import { type Container, ContainersStore } from '../tree/containers.store.js';
import { imageTerms, sameTerm } from './documents.store.js';
import { TermsStore } from './terms.store.js';

/** Images that are looked at at once, and writes of one commit, below what the document port takes. */
const PAGE = 100;
const WRITES = 300;

/**
 * Lets what leads to images follow their container, when others may see it than before. A container can have more images than one
 * commit takes: what the search finds is checked against the container in any case, so that nobody sees by an old word what they may not.
 */
@Injectable()
export class ImageTermsService {
  constructor(
    @Inject(DATABASE) private readonly database: Database,
    private readonly terms: TermsStore,
    private readonly images: ImagesStore,
    private readonly containers: ContainersStore,
  ) {}

  /** All images of a container. Repeating it finishes one that was interrupted. */
  async follow(containerId: string): Promise<void> {
    let cursor: string | undefined;
    do {
      const page = await this.images.page(containerId, { limit: PAGE, cursor });
      await this.settle(
        containerId,
        page.items.map(({ id }) => id),
      );
      ({ cursor } = page);
    } while (cursor !== undefined);
  }

  /** Some images of a container: nothing is written where all is as it should be. */
  async settle(containerId: string, ids: readonly string[]): Promise<void> {
    for (let isSettled = false; !isSettled;)
      isSettled = await commitPlan(this.database, async () => {
        const container = await this.containers.get(containerId);
        const images = await this.images.getMany(ids);
        const writes = container === undefined ? [] : await this.#writes(container, images);
        return { writes, result: writes.length === 0 };
      });
  }

  async #writes(container: Container, images: readonly Image[]): Promise<Change[]> {
    const writes: Change[] = [];
    for (const image of images) {
      if (writes.length >= WRITES) break;
      const wanted = imageTerms(image, container);
      const found = new Map(
        (await this.terms.getMany([...wanted.keys()])).map(({ id, value }) => [id, value]),
      );
      if ([...wanted].every(([id, term]) => sameTerm(found.get(id), term))) continue;
      // One that is deleted at this moment leaves nothing behind.
      writes.push(this.images.replacement(image, image.value), ...this.terms.complete(wanted));
    }
    return writes;
  }
}

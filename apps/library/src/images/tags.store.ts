import { Inject, Injectable } from '@nestjs/common';
import { z } from 'zod';
import type { Collection as DocumentCollection, CollectionSpec, ScanResult, Stored } from '#libs/documents';
import { type Change, DATABASE, type Database } from '../database.store.js';
import { LIMITS } from '../limits.js';

const TagDocument = z.object({
  container: z.string(),
  arch: z.string(),
  tag: z.string(),
  /** Id. */
  image: z.string(),
  updatedBy: z.string(),
  updatedAt: z.string(),
});
export type TagDocument = z.infer<typeof TagDocument>;
export type Tag = Stored<TagDocument>;

type Index = 'byContainer' | 'byImage';
const TAGS = {
  name: 'tags',
  schema: TagDocument,
  indexes: {
    byContainer: { fields: ['container', 'tag', 'arch'] },
    byImage: { fields: ['image', 'tag', 'arch'] },
  },
} as const satisfies CollectionSpec<TagDocument>;

/** Tags: one document for each container, architecture and tag. */
@Injectable()
export class TagsStore {
  readonly #tags: DocumentCollection<TagDocument, Index>;

  constructor(@Inject(DATABASE) database: Database) {
    this.#tags = database.collection<TagDocument, Index>(TAGS);
  }

  get(container: string, arch: string, tag: string): Promise<Tag | undefined> {
    return this.#tags.get(tagId(container, arch, tag));
  }

  /** The same tag in every architecture, in the order of their names. */
  async ofName(container: string, tag: string, limit: number): Promise<readonly Tag[]> {
    return (await this.#tags.scan('byContainer', { equal: [container, tag], limit })).items;
  }

  /** Tags of a container by name: all of them, unless a smaller number is asked for. */
  async ofContainer(container: string, most: number = LIMITS.tagsPerContainer): Promise<readonly Tag[]> {
    const tags: Tag[] = [];
    let cursor: string | undefined;
    do {
      const page = await this.#tags.scan('byContainer', {
        equal: [container],
        limit: Math.min(1000, most - tags.length),
        ...(cursor === undefined ? {} : { cursor }),
      });
      tags.push(...page.items);
      cursor = page.cursor;
    } while (cursor !== undefined && tags.length < most);
    return tags;
  }

  /** By name, then by architecture, page by page. @throws DomainError `bad_request` for a cursor of another list */
  page(
    container: string,
    { limit, cursor }: { readonly limit: number; readonly cursor?: string | undefined },
  ): Promise<ScanResult<TagDocument>> {
    const place = cursor === undefined ? {} : { cursor };
    return this.#tags.scan('byContainer', { equal: [container], limit, ...place });
  }

  /** All tags of an image, of every architecture. */
  async allNamesOf(image: string): Promise<string[]> {
    const names = new Set<string>();
    let cursor: string | undefined;
    do {
      const place = cursor === undefined ? {} : { cursor };
      const page = await this.#tags.scan('byImage', { equal: [image], limit: 1000, ...place });
      for (const { value } of page.items) names.add(value.tag);
      cursor = page.cursor;
    } while (cursor !== undefined);
    return [...names];
  }

  /** The tags of an image that an answer lists. */
  async namesOf(image: string): Promise<string[]> {
    const tags = await this.ofImage(image, LIMITS.tagsInAnswer);
    return [...new Set(tags.map(({ value }) => value.tag))];
  }

  async ofImage(image: string, limit: number): Promise<readonly Tag[]> {
    return (await this.#tags.scan('byImage', { equal: [image], limit })).items;
  }

  /** Fails with `exists`. */
  creation(value: TagDocument): Change {
    return this.#tags.write.insert(tagId(value.container, value.arch, value.tag), value);
  }

  /** Compare and set. */
  replacement({ id, revision }: Tag, value: TagDocument): Change {
    return this.#tags.write.replace(id, revision, value);
  }

  removal({ id, revision }: Tag): Change {
    return this.#tags.write.delete(id, revision);
  }
}

function tagId(container: string, arch: string, tag: string): string {
  return `${container}/${arch}/${tag}`;
}

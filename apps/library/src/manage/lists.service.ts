import { Injectable } from '@nestjs/common';
import type { Actor, ListQuery } from '#libs/contract';
import { DomainError, expected, isLibraryName } from '#libs/core';
import { type Image, ImagesStore } from '../images/images.store.js';
import { type Tag, TagsStore } from '../images/tags.store.js';
import { mayRead, maySeeUnfinished, roleIn } from '../policy.js';
import { EVERYBODY, type Stretch } from '../tree/audiences.js';
import { type Collection, CollectionsStore } from '../tree/collections.store.js';
import { type Container, ContainersStore } from '../tree/containers.store.js';
import { collectionSubject, containerSubject } from '../tree/subjects.js';
import { TreeService } from '../tree/tree.service.js';

/** A part of a list; `cursor` is there when there is more. */
export interface Listed<T> {
  readonly items: readonly T[];
  readonly cursor?: string;
}

/** An image with some of its tags. */
export interface ImageWithTags {
  readonly image: Image;
  readonly tags: readonly string[];
}

/** One list of several that are shown as one. */
interface Source<T> {
  /** Whose lists they are. */
  readonly audiences: readonly string[];
  readonly read: (audience: string, stretch: Stretch) => Promise<readonly T[]>;
  readonly isVisible: (item: T) => boolean;
}

/** What lies in an entity, a collection, a container: as much of it as the caller may know of. */
@Injectable()
export class ListsService {
  constructor(
    private readonly tree: TreeService,
    private readonly collections: CollectionsStore,
    private readonly containers: ContainersStore,
    private readonly images: ImagesStore,
    private readonly tags: TagsStore,
  ) {}

  /** By name. @throws DomainError `not_found`, `bad_request`; so do the next ones */
  async collectionsOf(
    entity: string,
    query: ListQuery,
    actor: Actor | undefined,
  ): Promise<Listed<Collection>> {
    const { id } = await this.tree.entity(entity, actor);
    return byName(query, {
      audiences: audiencesOf(entity, id, actor),
      read: (audience, stretch) => this.collections.ofEntity(id, audience, stretch),
      isVisible: (found) => mayRead(actor, collectionSubject(found)).allowed,
    });
  }

  /** By name. */
  async containersOf(path: string, query: ListQuery, actor: Actor | undefined): Promise<Listed<Container>> {
    const { id, value } = await this.tree.collection(path, actor);
    return byName(query, {
      audiences: audiencesOf(value.entityName, value.entity, actor),
      read: (audience, stretch) => this.containers.ofCollection(id, audience, stretch),
      isVisible: (found) => mayRead(actor, containerSubject(found)).allowed,
    });
  }

  /** Newest first; what is not uploaded yet for whoever could upload it. */
  async imagesOf(path: string, query: ListQuery, actor: Actor | undefined): Promise<Listed<ImageWithTags>> {
    const container = await this.tree.container(path, actor);
    const unfinished = maySeeUnfinished(actor, containerSubject(container));
    const { items, ...more } = await this.images.page(container.id, query);
    const shown = items.filter(({ value }) => value.uploaded || unfinished);
    return { items: await Promise.all(shown.map((image) => this.#withTags(image))), ...more };
  }

  /** By name, then by architecture. */
  async tagsOf(path: string, query: ListQuery, actor: Actor | undefined): Promise<Listed<Tag>> {
    const container = await this.tree.container(path, actor);
    return this.tags.page(container.id, query);
  }

  async #withTags(image: Image): Promise<ImageWithTags> {
    return { image, tags: await this.tags.namesOf(image.id) };
  }
}

/** Strangers are not even kept waiting by what they may not see. */
function audiencesOf(entity: string, id: string, actor: Actor | undefined): readonly string[] {
  return roleIn(actor, entity) === 'stranger' ? [EVERYBODY] : [EVERYBODY, id];
}

/** Several lists as one. The place where it goes on is the last name that is shown: no other one is told. */
async function byName<T extends { readonly value: { readonly name: string } }>(
  { limit, cursor = '' }: ListQuery,
  { audiences, read, isVisible }: Source<T>,
): Promise<Listed<T>> {
  if (cursor !== '' && !isLibraryName(cursor))
    throw new DomainError('bad_request', expected('a name that a list ended with', 'cursor', cursor), {
      reason: 'invalid_cursor',
    });
  const items: T[] = [];
  let after = cursor;
  for (;;) {
    const stretch = { after, limit: limit + 1 };
    const parts = await Promise.all(audiences.map((audience) => read(audience, stretch)));
    // Behind the end of a list that was cut there may be more of it: only up to there the order is known.
    const known = parts.filter((part) => part.length > limit).map((part) => part.at(-1)?.value.name ?? '');
    const end = known.toSorted()[0];
    const found = parts
      .flat()
      .filter(({ value }) => end === undefined || value.name <= end)
      .toSorted((a, b) => (a.value.name < b.value.name ? -1 : 1));
    for (const item of found) {
      if (!isVisible(item)) continue;
      if (items.length === limit) return { items, cursor: items.at(-1)?.value.name ?? '' };
      items.push(item);
    }
    if (end === undefined) return { items };
    after = end;
  }
}

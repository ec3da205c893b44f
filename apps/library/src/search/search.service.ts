import { Injectable } from '@nestjs/common';
import type { Actor } from '#libs/contract';
import { DomainError, expected } from '#libs/core';
import { type Collection, CollectionsStore } from '../tree/collections.store.js';
import { type Container, ContainersStore } from '../tree/containers.store.js';
import { EntitiesStore, type Entity } from '../tree/entities.store.js';
import type { FoundImage } from '../images/images.service.js';
import { ImagesStore } from '../images/images.store.js';
import { LIMITS } from '../limits.js';
import { isAdministrator, mayRead, placeOf } from '../policy.js';
import { matchesPath, readSearchText, type SearchText } from './searchTerms.js';
import { collectionSubject, containerSubject, entitySubject } from '../tree/subjects.js';
import { EVERYBODY } from '../tree/audiences.js';
import { type SearchKind, TermsStore } from './terms.store.js';
import { TreeService } from '../tree/tree.service.js';

export interface SearchQuery {
  readonly value: string;
  /** Any of these architectures; undefined: all. */
  readonly arch: readonly string[] | undefined;
  readonly signed: boolean | undefined;
}

export interface Found {
  readonly entities: readonly Entity[];
  readonly collections: readonly Collection[];
  readonly containers: readonly Container[];
  readonly images: readonly FoundImage[];
  /** A limit was reached: there may be more. Says nothing of what the caller may not know of. */
  readonly more: boolean;
}

/** Remembers that a limit was reached. */
interface Cut {
  more: boolean;
}

/** Finds what the caller may know of by a part of its name, and images by the beginning of their hash. */
@Injectable()
export class SearchService {
  constructor(
    private readonly tree: TreeService,
    private readonly terms: TermsStore,
    private readonly entities: EntitiesStore,
    private readonly collections: CollectionsStore,
    private readonly containers: ContainersStore,
    private readonly images: ImagesStore,
  ) {}

  /** @throws DomainError `bad_request` for a text that is too short or too long */
  async search(query: SearchQuery, actor: Actor | undefined): Promise<Found> {
    const text = readSearchText(query.value);
    if (text.keys.length === 0 || query.value.length > LIMITS.searchMaximum)
      throw new DomainError(
        'bad_request',
        expected(
          `a word of ${LIMITS.searchMinimum} to ${LIMITS.searchMaximum} characters`,
          'the search',
          query.value,
        ),
        { reason: 'invalid_search' },
      );
    const audiences = await this.#audiencesOf(actor);
    const cut: Cut = { more: false };
    const containers = await this.#containers(text, audiences, actor, cut);
    const images = await this.#images(query, text, containers, actor, cut);
    // "when arch or signed is present only images are searched" (library contract §6.4).
    if (query.arch !== undefined || query.signed !== undefined)
      return { entities: [], collections: [], containers: [], images, ...cut };
    const collections = (
      await this.collections.getMany(await this.#ids('collection', text, audiences, cut))
    ).filter((collection) => visible(collectionSubject(collection), text, actor));
    const entities = (await this.entities.getMany(await this.#ids('entity', text, audiences, cut))).filter(
      (entity) => visible(entitySubject(entity), text, actor),
    );
    return { entities, collections, containers, images, ...cut };
  }

  /** Whose private things are looked at; undefined: everybody's. */
  async #audiencesOf(actor: Actor | undefined): Promise<readonly string[] | undefined> {
    if (actor === undefined) return [EVERYBODY];
    if (isAdministrator(actor)) return undefined;
    return [EVERYBODY, ...(await this.tree.entityIdsOf(actor))];
  }

  async #ids(
    kind: SearchKind,
    text: SearchText,
    audiences: readonly string[] | undefined,
    cut: Cut,
  ): Promise<string[]> {
    const found = new Set<string>();
    for (const audience of audiences ?? [undefined])
      for (const key of text.keys) {
        const { ids, more } = await this.terms.find(kind, key, audience, LIMITS.searchScan);
        cut.more ||= more;
        for (const id of ids)
          if (found.size < LIMITS.searchObjects) found.add(id);
          else cut.more ||= !found.has(id);
      }
    return [...found];
  }

  async #containers(
    text: SearchText,
    audiences: readonly string[] | undefined,
    actor: Actor | undefined,
    cut: Cut,
  ): Promise<readonly Container[]> {
    const found = await this.containers.getMany(await this.#ids('container', text, audiences, cut));
    return found.filter((container) => visible(containerSubject(container), text, actor));
  }

  async #images(
    query: SearchQuery,
    text: SearchText,
    containers: readonly Container[],
    actor: Actor | undefined,
    cut: Cut,
  ): Promise<readonly FoundImage[]> {
    const found = new Map<string, FoundImage>();
    for (const container of containers) {
      const images = await this.images.ofContainer(container.id, LIMITS.searchImagesPerContainer);
      cut.more ||= images.length >= LIMITS.searchImagesPerContainer;
      for (const image of images)
        if (found.size < LIMITS.searchImages) found.set(image.id, { image, container });
      if (found.size >= LIMITS.searchImages) {
        cut.more = true;
        break;
      }
    }
    if (text.hash !== undefined) {
      for (const image of await this.images.withHash(text.hash, LIMITS.sameContent)) {
        const container = await this.containers.get(image.value.container);
        if (container && mayRead(actor, containerSubject(container)).allowed)
          found.set(image.id, { image, container });
      }
    }
    return [...found.values()].filter(({ image: { value } }) => {
      if (!value.uploaded) return false;
      if (query.signed !== undefined && value.signed !== query.signed) return false;
      return query.arch === undefined || (value.arch !== undefined && query.arch.includes(value.arch));
    });
  }
}

function visible(
  subject: Parameters<typeof placeOf>[0],
  text: SearchText,
  actor: Actor | undefined,
): boolean {
  return mayRead(actor, subject).allowed && matchesPath(text, placeOf(subject));
}

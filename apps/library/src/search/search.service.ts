import { Injectable } from '@nestjs/common';
import type { Actor } from '#libs/contract';
import type { FoundImage } from '../images/images.service.js';
import { NOTHING } from '../missing.js';
import { isAdministrator } from '../policy.js';
import { EVERYBODY } from '../tree/audiences.js';
import { type Collection, CollectionsStore } from '../tree/collections.store.js';
import { type Container, ContainersStore } from '../tree/containers.store.js';
import { EntitiesStore, type Entity } from '../tree/entities.store.js';
import { NamesStore } from '../tree/names.store.js';
import { collectionSubject, containerSubject, entitySubject } from '../tree/subjects.js';
import { TreeService } from '../tree/tree.service.js';
import { ImageSearchService } from './imageSearch.service.js';
import { findObjects, type Objects } from './objectSearch.js';
import { SearchCursors, type SearchState } from './searchCursors.js';
import { type SearchQuery, wantsImages } from './searchQuery.js';
import { type Scope, TermsStore } from './terms.store.js';

export interface Found {
  readonly entities: readonly Entity[];
  readonly collections: readonly Collection[];
  readonly containers: readonly Container[];
  readonly images: readonly FoundImage[];
  /** A limit was reached: there may be more. Says nothing of what the caller may not know of. */
  readonly more: boolean;
  /** So many candidates were looked at that the rest is left to the next page. */
  readonly cut: boolean;
  /** What the next page is asked for with. */
  readonly next: string | undefined;
}

const BEGIN = { words: [] };
const IMAGES = { entity: null, collection: null, container: null, inContainers: BEGIN, image: BEGIN };
const ALL = { ...IMAGES, entity: BEGIN, collection: BEGIN, container: BEGIN };

/**
 * Finds what the caller may know of: by a part of its name, by words that are said of it, images also by the beginning of their hash
 * and by who has signed them. What has the rarest word of a search in its name comes before everything else.
 */
@Injectable()
export class SearchService {
  readonly #entities: Objects<Entity>;
  readonly #collections: Objects<Collection>;
  readonly #containers: Objects<Container>;

  constructor(
    private readonly tree: TreeService,
    private readonly names: NamesStore,
    private readonly terms: TermsStore,
    private readonly images: ImageSearchService,
    private readonly cursors: SearchCursors,
    entities: EntitiesStore,
    collections: CollectionsStore,
    containers: ContainersStore,
  ) {
    this.#entities = { kind: 'entity', getMany: (ids) => entities.getMany(ids), subject: entitySubject };
    this.#collections = {
      kind: 'collection',
      getMany: (ids) => collections.getMany(ids),
      subject: collectionSubject,
    };
    this.#containers = {
      kind: 'container',
      getMany: (ids) => containers.getMany(ids),
      subject: containerSubject,
    };
  }

  /** @throws DomainError `bad_request` for a cursor that was not given for this search */
  async search(query: SearchQuery, actor: Actor | undefined): Promise<Found> {
    const asked = `${actor?.accountId ?? ''} ${query.form}`;
    const begin: SearchState = wantsImages(query) ? IMAGES : ALL;
    const state = query.cursor === undefined ? begin : this.cursors.read(asked, query.cursor);
    const search = { query, actor, scopes: await this.#scopesOf(query, actor) };
    const entities = await findObjects(this.terms, this.#entities, search, state.entity);
    const collections = await findObjects(this.terms, this.#collections, search, state.collection);
    const containers = await findObjects(this.terms, this.#containers, search, state.container);
    const images = await this.images.search(search, state);
    const next = {
      entity: entities.next,
      collection: collections.next,
      container: containers.next,
      ...images.next,
    };
    const isOver = Object.values(next).every((one) => one === null);
    return {
      entities: entities.found,
      collections: collections.found,
      containers: containers.found,
      images: images.found,
      more: images.more || !isOver,
      cut: [entities, collections, containers, images].some(({ cut }) => cut),
      next: isOver ? undefined : this.cursors.write(asked, next),
    };
  }

  /** Whose things are looked at. */
  async #scopesOf(query: SearchQuery, actor: Actor | undefined): Promise<readonly Scope[]> {
    const { entity: name } = query;
    if (name === undefined) return scopes(query, await this.#ownAudiences(actor));
    // One that is hidden may have something in it that is not; one that is not there is asked for in the same way.
    const entity = (await this.names.find(name)) ?? NOTHING;
    const own = (await this.#ownAudiences(actor))?.filter((one) => one === entity) ?? [entity];
    return scopes(query, own).map((scope) => ({ ...scope, entity }));
  }

  /** Entities of the caller; undefined: everybody's. */
  async #ownAudiences(actor: Actor | undefined): Promise<readonly string[] | undefined> {
    if (actor === undefined) return [];
    return isAdministrator(actor) ? undefined : this.tree.entityIdsOf(actor);
  }
}

/** @param own undefined: everybody's, which is one stretch of an index with what is public */
function scopes(query: SearchQuery, own: readonly string[] | undefined): Scope[] {
  if (query.private === false) return [{ audience: EVERYBODY }];
  if (own === undefined) return [{ audience: undefined }];
  return [...(query.private === true ? [] : [EVERYBODY]), ...own].map((audience) => ({ audience }));
}

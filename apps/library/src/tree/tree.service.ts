import { Inject, Injectable } from '@nestjs/common';
import { Trail } from '#libs/audit';
import {
  type Actor,
  type CollectionRequest,
  type ContainerRequest,
  entityNames,
  type EntityRequest,
} from '#libs/contract';
import { ScsConfig } from '#libs/config';
import { type Clock, DomainError, expected, isLibraryName, newObjectId } from '#libs/core';
import { CLOCK } from '#libs/server';
import { type Collection, CollectionsStore } from './collections.store.js';
import { type Container, ContainersStore } from './containers.store.js';
import { type Change, commitPlan, DATABASE, type Database } from '../database.store.js';
import { EntitiesStore, type Entity } from './entities.store.js';
import { created } from '../events.js';
import { EventFeed } from '../events/feed.store.js';
import { collectionPlace, containerPlace, entityPlace, placeMade } from '../events/happenings.js';
import { LIMITS } from '../limits.js';
import { missing, NOTHING } from '../missing.js';
import { NamesStore } from './names.store.js';
import { admit, enforce, isAdministrator, mayCreate, mayRead, type Subject } from '../policy.js';
import { collectionSubject, containerSubject, entitySubject } from './subjects.js';
import { collectionTerms, containerTerms, entityTerms } from '../search/documents.store.js';
import { type SearchKind, TermsStore } from '../search/terms.store.js';
import { audienceOf } from './audiences.js';

/** Entities, collections and containers: finding them and making them. Making one again finds it. */
@Injectable()
export class TreeService {
  constructor(
    @Inject(DATABASE) private readonly database: Database,
    @Inject(CLOCK) private readonly clock: Clock,
    private readonly config: ScsConfig,
    private readonly names: NamesStore,
    private readonly terms: TermsStore,
    private readonly entities: EntitiesStore,
    private readonly collections: CollectionsStore,
    private readonly containers: ContainersStore,
    private readonly trail: Trail,
    private readonly feed: EventFeed,
  ) {}

  /** @throws DomainError `not_found` when there is none that the actor may know of; so do the next ones */
  async entity(name: string, actor: Actor | undefined): Promise<Entity> {
    const entity = await this.entities.get(await this.#idOf(name));
    return admit(entity, this.#reading(actor, entitySubject), () => missing('entity', name));
  }

  async collection(path: string, actor: Actor | undefined): Promise<Collection> {
    const collection = await this.collections.get(await this.#idOf(path));
    return admit(collection, this.#reading(actor, collectionSubject), () => missing('collection', path));
  }

  /** @param what the error for a container that is not there; a request for an image says that there is no image */
  async container(
    path: string,
    actor: Actor | undefined,
    what: () => DomainError = () => missing('container', path),
  ): Promise<Container> {
    return this.#readable(await this.containers.get(await this.#idOf(path)), actor, what);
  }

  async containerById(id: string, actor: Actor | undefined): Promise<Container> {
    return this.#readable(await this.containers.get(id), actor, () => missing('container', id));
  }

  /**
   * The entities of the actor and their organisations; all of them for administrators. By name. A token sees of them what it
   * would find by asking for each: what is private only with a scope for something there.
   */
  async listEntities(actor: Actor): Promise<readonly Entity[]> {
    const found = isAdministrator(actor)
      ? await this.entities.list(LIMITS.entitiesListed)
      : await this.entities.getMany(await this.entityIdsOf(actor));
    return found.filter((entity) => mayRead(actor, entitySubject(entity)).allowed);
  }

  /** The ids of the entities that belong to the actor or to their organisations. */
  async entityIdsOf(actor: Actor): Promise<string[]> {
    return this.names.findMany(entityNames(actor).slice(0, LIMITS.entitiesListed));
  }

  async createEntity(request: EntityRequest, actor: Actor): Promise<Entity> {
    const name = checkName(request.name);
    enforce(mayCreate(actor, { entity: name, private: false }), () => missing('entity', name));
    return this.#make(
      'entity',
      name,
      (id) => this.entities.get(id),
      (id) => {
        const { description, customData } = request;
        const { defaultPrivate: isPrivateHere, entityQuota } = this.config.library;
        // Stock clients always say false.
        const defaultPrivate = request.defaultPrivate || isPrivateHere;
        // Nobody gives quota to themselves.
        const quota = isAdministrator(actor) && request.quota > 0 ? request.quota : entityQuota;
        const entity = { name, description, customData, defaultPrivate, quota, size: 0, held: 0 };
        const value = { ...entity, ...this.#creation(actor) };
        return [
          this.entities.creation(id, value),
          ...this.terms.changes(undefined, entityTerms({ id, value })),
          this.trail.write(created('entity', name, defaultPrivate, actor)),
          this.feed.write(placeMade(entityPlace({ id, value }), actor)),
        ];
      },
    );
  }

  async createCollection(request: CollectionRequest, actor: Actor): Promise<Collection> {
    const name = checkName(request.name);
    const found = await this.entities.get(request.entity);
    const entity = admit(found, this.#reading(actor, entitySubject), () => missing('entity', request.entity));
    const entityName = entity.value.name;
    enforce(mayCreate(actor, { entity: entityName, collection: name, private: false }), () =>
      missing('entity', request.entity),
    );
    return this.#make(
      'collection',
      `${entityName}/${name}`,
      (id) => this.collections.get(id),
      async (id) => {
        const parent = await this.entities.get(entity.id);
        if (!parent) throw missing('entity', request.entity);
        // "Client bodies always carry private:false; it must not override the inherited value" (library contract §9).
        const isPrivate = parent.value.defaultPrivate || request.private;
        const audience = audienceOf(entity.id, isPrivate);
        const { description, customData } = request;
        const collection = { entity: entity.id, entityName, name, description, customData };
        const value = { ...collection, private: isPrivate, audience, size: 0, ...this.#creation(actor) };
        return [
          // As it was read: neither removed nor made private meanwhile.
          this.entities.replacement(parent, parent.value),
          this.collections.creation(id, value),
          ...this.terms.changes(undefined, collectionTerms({ id, value })),
          this.trail.write(created('collection', `${entityName}/${name}`, isPrivate, actor)),
          this.feed.write(placeMade(collectionPlace({ id, value }), actor)),
        ];
      },
    );
  }

  async createContainer(request: ContainerRequest, actor: Actor): Promise<Container> {
    const name = checkName(request.name);
    const found = await this.collections.get(request.collection);
    const collection = admit(found, this.#reading(actor, collectionSubject), () =>
      missing('collection', request.collection),
    );
    const { entity, entityName } = collection.value;
    enforce(
      mayCreate(actor, {
        entity: entityName,
        collection: collection.value.name,
        container: name,
        private: false,
      }),
      () => missing('collection', request.collection),
    );
    // As it is in this attempt: its name may just be changing.
    let parent = collection;
    return this.#make(
      'container',
      async () => {
        const present = await this.collections.get(collection.id);
        if (!present) throw missing('collection', request.collection);
        parent = present;
        return `${entityName}/${parent.value.name}/${name}`;
      },
      (id) => this.containers.get(id),
      async (id, path) => {
        const collectionName = parent.value.name;
        const former = await this.#formerPaths(parent, name);
        const isPrivate = parent.value.private || request.private;
        const audience = audienceOf(entity, isPrivate);
        const { description, fullDescription, customData, readOnly } = request;
        const place = { entity, entityName, collection: collection.id, collectionName, name };
        const counters = { size: 0, downloadCount: 0, stars: 0, tags: 0 };
        const texts = { description, fullDescription, customData };
        const rights = { private: isPrivate, audience, readOnly };
        const paths = former.length === 0 ? {} : { formerPaths: former.map(({ path: one }) => one) };
        const value = { ...place, ...texts, ...counters, ...paths, ...rights, ...this.#creation(actor) };
        return [
          this.collections.replacement(parent, parent.value),
          ...former.map(({ path: one, until }) => this.names.keepUntil(`${entityName}/${one}`, id, until)),
          this.containers.creation(id, value),
          ...this.terms.changes(undefined, containerTerms({ id, value })),
          this.trail.write(created('container', path, isPrivate, actor)),
          this.feed.write(placeMade(containerPlace({ id, value }), actor)),
        ];
      },
      // Of a collection that was called so before this one: its containers give the name up.
      async (id) => {
        const found = await this.containers.get(id);
        return found !== undefined && found.value.collection !== collection.id;
      },
    );
  }

  async #idOf(path: string): Promise<string> {
    return (await this.names.find(path)) ?? NOTHING;
  }

  #readable(container: Container | undefined, actor: Actor | undefined, what: () => DomainError): Container {
    return admit(container, this.#reading(actor, containerSubject), what);
  }

  #reading<T>(actor: Actor | undefined, subject: (object: T) => Subject) {
    return { subject, decide: (one: Subject) => mayRead(actor, one) };
  }

  /**
   * Finds or makes the object at a path. Two at once make one: the path can be taken only once.
   * @param isElsewhere whether what the path leads to is none of these
   */
  async #make<T>(
    kind: SearchKind,
    at: string | (() => Promise<string>),
    get: (id: string) => Promise<T | undefined>,
    create: (id: string, path: string) => Change[] | Promise<Change[]>,
    isElsewhere: (id: string) => Promise<boolean> = async () => false,
  ): Promise<T> {
    const { id, path } = await commitPlan(this.database, async () => {
      const wanted = typeof at === 'string' ? at : await at();
      const existing = await this.names.find(wanted);
      if (existing !== undefined && !(await isElsewhere(existing)))
        return { writes: [], result: { id: existing, path: wanted } };
      const made = newObjectId();
      const writes = [await this.names.take(wanted, made), ...(await create(made, wanted))];
      return { writes, result: { id: made, path: wanted } };
    });
    const object = await get(id);
    if (!object) throw missing(kind, path);
    return object;
  }

  /** Addresses by which a new container is found, too: pushes and pulls go on to use names of its collection from before. */
  async #formerPaths(
    { id, value }: Collection,
    name: string,
  ): Promise<{ readonly path: string; readonly until: number }[]> {
    const found = [];
    for (const former of value.formerNames ?? []) {
      const path = `${former.name}/${name}`;
      const leadsHere = (await this.names.find(`${value.entityName}/${former.name}`)) === id;
      const isOpen = leadsHere && (await this.names.find(`${value.entityName}/${path}`)) === undefined;
      if (isOpen) found.push({ path, until: former.until });
    }
    return found;
  }

  #creation(actor: Actor): { createdBy: string; createdAt: string } {
    return { createdBy: actor.username, createdAt: this.clock.now().toISOString() };
  }
}

/** @throws DomainError `bad_request` (library contract cases 15 and 25: capitals are refused, never a second object) */
export function checkName(name: string): string {
  if (isLibraryName(name)) return name;
  throw new DomainError(
    'bad_request',
    expected('lower-case letters and digits joined by single ".", "_" or "-"', 'a name', name),
    { reason: 'invalid_name' },
  );
}

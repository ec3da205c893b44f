import { Inject, Injectable } from '@nestjs/common';
import { Trail } from '#libs/audit';
import type { Actor, AuditState, ChangeCollectionRequest, ChangeEntityRequest } from '#libs/contract';
import { type Clock, DomainError } from '#libs/core';
import { CLOCK } from '#libs/server';
import { DATABASE, type Database } from '../database.store.js';
import { changed } from '../events.js';
import { EventFeed } from '../events/feed.store.js';
import { collectionPlace, entityPlace, placeChanged } from '../events/happenings.js';
import { missing } from '../missing.js';
import { enforce, isAdministrator } from '../policy.js';
import { TermsStore } from '../search/terms.store.js';
import { audienceOf, EVERYBODY } from '../tree/audiences.js';
import { type Collection, CollectionsStore } from '../tree/collections.store.js';
import { ContainersStore } from '../tree/containers.store.js';
import { EntitiesStore, type Entity } from '../tree/entities.store.js';
import { collectionSubject, entitySubject } from '../tree/subjects.js';
import { TreeService } from '../tree/tree.service.js';
import { changeObject, given, mayChange } from './changes.js';
import { ContainerChangesService } from './containerChanges.service.js';

/** Containers that are made private in one step. */
const BATCH = 100;

/** What becomes of entities and collections. */
@Injectable()
export class ChangesService {
  constructor(
    @Inject(DATABASE) private readonly database: Database,
    @Inject(CLOCK) private readonly clock: Clock,
    private readonly tree: TreeService,
    private readonly terms: TermsStore,
    private readonly entities: EntitiesStore,
    private readonly collections: CollectionsStore,
    private readonly containers: ContainersStore,
    private readonly containerChanges: ContainerChangesService,
    private readonly trail: Trail,
    private readonly feed: EventFeed,
  ) {}

  /** @throws DomainError `not_found`, `forbidden`: quota comes from administrators */
  async changeEntity(name: string, request: ChangeEntityRequest, actor: Actor): Promise<Entity> {
    const { id } = await this.tree.entity(name, actor);
    const absent = () => missing('entity', name);
    return changeObject(this.database, () => this.entities.get(id), {
      absent,
      plan: (entity) => {
        const subject = entitySubject(entity);
        enforce(mayChange(actor, subject, request), absent);
        if (request.quota !== undefined && !isAdministrator(actor))
          throw new DomainError('forbidden', 'Only administrators give quota', {
            reason: 'not_administrator',
          });
        const before = entity.value;
        const value = { ...before, ...given(request), updatedAt: this.clock.now().toISOString() };
        const audience = audienceOf(id, value.defaultPrivate);
        const found = { kind: 'entity', name: before.name, target: id, audience } as const;
        return [
          this.entities.replacement(entity, value),
          ...(value.defaultPrivate === before.defaultPrivate ? [] : this.terms.creation(found)),
          this.trail.write(changed({ subject, actor, before: stateOf(before), after: stateOf(value) })),
          this.feed.write(placeChanged(entityPlace({ id, value }), actor)),
        ];
      },
    });
  }

  /**
   * A collection that becomes private takes all its containers along, first of all those that are being made; when that is interrupted,
   * the same request finishes it. One that becomes public opens none of them.
   * @throws DomainError `not_found`, `forbidden`
   */
  async changeCollection(path: string, request: ChangeCollectionRequest, actor: Actor): Promise<Collection> {
    const { id } = await this.tree.collection(path, actor);
    const absent = () => missing('collection', path);
    const collection = await changeObject(this.database, () => this.collections.get(id), {
      absent,
      plan: (one) => {
        const subject = collectionSubject(one);
        enforce(mayChange(actor, subject, request), absent);
        const before = one.value;
        const changes = { ...before, ...given(request), updatedAt: this.clock.now().toISOString() };
        const value = { ...changes, audience: audienceOf(before.entity, changes.private) };
        const found = {
          kind: 'collection',
          name: before.name,
          target: id,
          audience: value.audience,
        } as const;
        return [
          this.collections.replacement(one, value),
          ...(value.audience === before.audience ? [] : this.terms.creation(found)),
          this.trail.write(
            changed({
              subject,
              actor,
              before: { private: before.private },
              after: { private: value.private },
            }),
          ),
          this.feed.write(placeChanged(collectionPlace({ id, value }), actor)),
        ];
      },
    });
    if (request.private === true) await this.#closeContainers(id, actor);
    return collection;
  }

  async #closeContainers(collection: string, actor: Actor): Promise<void> {
    for (;;) {
      const open = await this.containers.ofCollection(collection, EVERYBODY, { after: '', limit: BATCH });
      if (open.length === 0) return;
      for (const { id } of open) await this.containerChanges.close(id, actor);
    }
  }
}

function stateOf({ defaultPrivate, quota, protectedTags = [] }: Entity['value']): AuditState {
  const patterns = protectedTags.length === 0 ? {} : { protectedTags };
  return { private: defaultPrivate, quota, ...patterns };
}

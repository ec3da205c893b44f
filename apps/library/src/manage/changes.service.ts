import { Inject, Injectable } from '@nestjs/common';
import { Trail } from '#libs/audit';
import type {
  Actor,
  AuditState,
  ChangeCollectionRequest,
  ChangeEntityRequest,
  RequiredSigners,
} from '#libs/contract';
import { type Clock, DomainError } from '#libs/core';
import { CLOCK } from '#libs/server';
import { DATABASE, type Database } from '../database.store.js';
import { changed } from '../events.js';
import { EventFeed } from '../events/feed.store.js';
import { collectionPlace, entityPlace, placeChanged } from '../events/happenings.js';
import { missing } from '../missing.js';
import { enforce, isAdministrator } from '../policy.js';
import { collectionTerms, entityTerms } from '../search/documents.store.js';
import { TermsStore } from '../search/terms.store.js';
import { KeystoreKeys } from '../signers/keystoreKeys.js';
import { audienceOf, EVERYBODY } from '../tree/audiences.js';
import { type Collection, CollectionsStore } from '../tree/collections.store.js';
import { ContainersStore } from '../tree/containers.store.js';
import { EntitiesStore, type Entity } from '../tree/entities.store.js';
import { collectionSubject, entitySubject } from '../tree/subjects.js';
import { checkName, TreeService } from '../tree/tree.service.js';
import { changeObject, given, mayChange, rulesFrom } from './changes.js';
import { CollectionRenameService } from './collectionRename.service.js';
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
    private readonly keys: KeystoreKeys,
    private readonly collectionRename: CollectionRenameService,
    private readonly trail: Trail,
    private readonly feed: EventFeed,
  ) {}

  /** @throws DomainError `not_found`, `forbidden`: quota comes from administrators; `conflict` for a rule about keys that nobody can read */
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
        const { requiredSigners, retention, ...members } = given(request);
        // Nothing could be pushed or pulled any more.
        if (requiredSigners && !isEmpty(requiredSigners)) this.keys.requireReadable();
        const { requiredSigners: present, ...rest } = before;
        const signers = requiredSigners === undefined ? present : (requiredSigners ?? undefined);
        const now = this.clock.now();
        const value = {
          ...rest,
          ...members,
          ...(signers === undefined || isEmpty(signers) ? {} : { requiredSigners: signers }),
          ...rulesFrom(retention, now.getTime()),
          updatedAt: now.toISOString(),
        };
        return [
          this.entities.replacement(entity, value),
          ...this.terms.changes(entityTerms(entity), entityTerms({ id, value })),
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
    const { name, ...others } = request;
    if (name !== undefined) checkName(name);
    const { id } = await this.tree.collection(path, actor);
    const collection = await this.#describeCollection(id, path, others, actor);
    return name === undefined ? collection : this.collectionRename.rename(id, name, actor);
  }

  async #describeCollection(
    id: string,
    path: string,
    request: Omit<ChangeCollectionRequest, 'name'>,
    actor: Actor,
  ): Promise<Collection> {
    const absent = () => missing('collection', path);
    const collection = await changeObject(this.database, () => this.collections.get(id), {
      absent,
      plan: (one) => {
        const subject = collectionSubject(one);
        enforce(mayChange(actor, subject, request), absent);
        if (Object.keys(given(request)).length === 0) return [];
        const before = one.value;
        const changes = { ...before, ...given(request), updatedAt: this.clock.now().toISOString() };
        const value = { ...changes, audience: audienceOf(before.entity, changes.private) };
        return [
          this.collections.replacement(one, value),
          ...this.terms.changes(collectionTerms(one), collectionTerms({ id, value })),
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

function isEmpty({ push, pull }: RequiredSigners): boolean {
  return push === undefined && pull === undefined;
}

function stateOf({
  defaultPrivate,
  quota,
  protectedTags = [],
  requiredSigners,
  retention,
}: Entity['value']): AuditState {
  const { push, pull } = requiredSigners ?? {};
  return {
    private: defaultPrivate,
    quota,
    ...(protectedTags.length === 0 ? {} : { protectedTags }),
    ...(push === undefined ? {} : { signersToPush: push }),
    ...(pull === undefined ? {} : { signersToPull: pull }),
    ...(retention === undefined ? {} : { retention }),
  };
}

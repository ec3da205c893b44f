import { Inject, Injectable } from '@nestjs/common';
import { Trail } from '#libs/audit';
import type { Actor, AuditState, ChangeContainerRequest } from '#libs/contract';
import { type Clock, DomainError } from '#libs/core';
import { CLOCK } from '#libs/server';
import { type Change, DATABASE, type Database } from '../database.store.js';
import { changed } from '../events.js';
import { EventFeed } from '../events/feed.store.js';
import { containerChanged } from '../events/happenings.js';
import { LIMITS } from '../limits.js';
import { missing } from '../missing.js';
import { enforce, placeOf } from '../policy.js';
import { containerTerms } from '../search/documents.store.js';
import { ImageTermsService } from '../search/imageTerms.service.js';
import { TermsStore } from '../search/terms.store.js';
import { audienceOf } from '../tree/audiences.js';
import { CollectionsStore } from '../tree/collections.store.js';
import { type Container, type ContainerDocument, ContainersStore } from '../tree/containers.store.js';
import { NamesStore } from '../tree/names.store.js';
import { collectionSubject, containerSubject } from '../tree/subjects.js';
import { checkName, TreeService } from '../tree/tree.service.js';
import { changeObject, given, mayChange, rulesFrom } from './changes.js';

/** What becomes of containers: what is said of them, who sees them, whether they take more images, and how they are called. */
@Injectable()
export class ContainerChangesService {
  constructor(
    @Inject(DATABASE) private readonly database: Database,
    @Inject(CLOCK) private readonly clock: Clock,
    private readonly tree: TreeService,
    private readonly names: NamesStore,
    private readonly terms: TermsStore,
    private readonly imageTerms: ImageTermsService,
    private readonly collections: CollectionsStore,
    private readonly containers: ContainersStore,
    private readonly trail: Trail,
    private readonly feed: EventFeed,
  ) {}

  /**
   * A container with a new name is found by its old one, too, until {@link LIMITS.formerName} is over or another one takes it.
   * @throws DomainError `not_found`, `forbidden`, `bad_request` for what is no name; `conflict` for a name that is taken, and for a
   *   container that shall be public in a private collection
   */
  async change(path: string, request: ChangeContainerRequest, actor: Actor): Promise<Container> {
    if (request.name !== undefined) checkName(request.name);
    const { id } = await this.tree.container(path, actor);
    const absent = () => missing('container', path);
    const changed = await changeObject(this.database, () => this.containers.get(id), {
      absent,
      plan: async (container) => {
        enforce(mayChange(actor, containerSubject(container), request), absent);
        const parent = request.private === false ? await this.#openParent(container) : [];
        const { retention, ...rest } = given(request);
        const rules = rulesFrom(retention, this.clock.now().getTime());
        return [...parent, ...(await this.#writes(container, { ...rest, ...rules }, actor))];
      },
    });
    if (request.private !== undefined) await this.imageTerms.follow(id);
    return changed;
  }

  /** Makes a container private with the collection that it lies in, by whoever was allowed to do that. */
  async close(id: string, actor: Actor): Promise<void> {
    await changeObject(this.database, () => this.containers.get(id), {
      absent: () => missing('container', id),
      plan: (container) => this.#writes(container, { private: true }, actor),
    }).catch((error: unknown) => {
      // Removed meanwhile: nobody sees it any more.
      if (!(error instanceof DomainError && error.code === 'not_found')) throw error;
    });
    await this.imageTerms.follow(id);
  }

  async #writes(
    container: Container,
    change: Partial<ContainerDocument>,
    actor: Actor,
  ): Promise<readonly Change[]> {
    const { id, value: before } = container;
    const renamed = change.name !== undefined && change.name !== before.name;
    const changes = { ...before, ...change, updatedAt: this.clock.now().toISOString() };
    const audience = audienceOf(before.entity, changes.private);
    const formerNames = renamed
      ? [...(before.formerNames ?? []).filter((name) => name !== changes.name), before.name]
      : (before.formerNames ?? []);
    const value = { ...changes, audience, formerNames: formerNames.slice(-LIMITS.formerNames) };
    return [
      this.containers.replacement(container, value),
      ...(renamed
        ? await this.#rename(container, value.name, formerNames.slice(0, -LIMITS.formerNames))
        : []),
      ...this.terms.changes(containerTerms(container), containerTerms({ id, value })),
      this.trail.write(
        changed({
          subject: containerSubject(container),
          actor,
          before: stateOf(before),
          after: stateOf(value),
        }),
      ),
      this.feed.write(containerChanged({ id, value }, before, actor)),
    ];
  }

  /** @param forgotten names from before that lead here no longer, because there are too many */
  async #rename({ id, value }: Container, name: string, forgotten: readonly string[]): Promise<Change[]> {
    const [before, after] = [value.name, name].map((one) => pathOf(value, one)) as [string, string];
    if (!(await this.names.isFree(after)))
      throw new DomainError('conflict', `There is a container ${after} already`, { reason: 'name_taken' });
    const until = this.clock.now().getTime() + LIMITS.formerName;
    const releases = await Promise.all(
      forgotten.map((one) => this.names.releaseFormer(pathOf(value, one), id)),
    );
    return [await this.names.take(after, id), this.names.keepUntil(before, id, until), ...releases.flat()];
  }

  /** A container is not public where nothing is: and its collection does not become private at this moment. */
  async #openParent(container: Container): Promise<Change[]> {
    const collection = await this.collections.get(container.value.collection);
    if (!collection) throw missing('container', placeOf(containerSubject(container)));
    if (collection.value.private)
      throw new DomainError(
        'conflict',
        `The collection ${placeOf(collectionSubject(collection))} is private, and so is all that is in it`,
        {
          reason: 'collection_private',
          remedy: 'Make the collection public first: its other containers stay private.',
        },
      );
    return [this.collections.replacement(collection, collection.value)];
  }
}

function pathOf({ entityName, collectionName }: ContainerDocument, name: string): string {
  return `${entityName}/${collectionName}/${name}`;
}

function stateOf(container: ContainerDocument): AuditState {
  const { private: isPrivate, readOnly, name, protectedTags = [], retention } = container;
  const patterns = protectedTags.length === 0 ? {} : { protectedTags };
  return {
    private: isPrivate,
    readOnly,
    name,
    ...patterns,
    ...(retention === undefined ? {} : { retention }),
  };
}

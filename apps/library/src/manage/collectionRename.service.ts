import { Inject, Injectable } from '@nestjs/common';
import { Trail } from '#libs/audit';
import type { Actor } from '#libs/contract';
import { type Clock, DomainError } from '#libs/core';
import { CLOCK } from '#libs/server';
import { type Change, commitPlan, DATABASE, type Database } from '../database.store.js';
import { changed } from '../events.js';
import { EventFeed } from '../events/feed.store.js';
import { collectionPlace, placeChanged } from '../events/happenings.js';
import { LIMITS } from '../limits.js';
import { missing } from '../missing.js';
import { enforce, mayManage, placeOf } from '../policy.js';
import { collectionTerms } from '../search/documents.store.js';
import { TermsStore } from '../search/terms.store.js';
import { type Collection, CollectionsStore } from '../tree/collections.store.js';
import { type Container, type ContainerDocument, ContainersStore } from '../tree/containers.store.js';
import { NamesStore } from '../tree/names.store.js';
import { collectionSubject } from '../tree/subjects.js';

/** Containers that are moved in one commit. */
const PART = 20;

/**
 * Another name for a collection. Its name is in the addresses of its containers, so that it takes a commit for each few of them: first the
 * new name leads to the collection, too, then the containers move one part after the other, each of them found by both its addresses from
 * then on, and at last the collection has its new name. What is cut off anywhere serves both names, and the same request finishes it.
 */
@Injectable()
export class CollectionRenameService {
  constructor(
    @Inject(DATABASE) private readonly database: Database,
    @Inject(CLOCK) private readonly clock: Clock,
    private readonly names: NamesStore,
    private readonly terms: TermsStore,
    private readonly collections: CollectionsStore,
    private readonly containers: ContainersStore,
    private readonly trail: Trail,
    private readonly feed: EventFeed,
  ) {}

  /**
   * @returns the collection with its new name
   * @throws DomainError `not_found`, `forbidden`; `conflict` for a name that is taken, and while another renaming is not finished
   */
  async rename(id: string, name: string, actor: Actor): Promise<Collection> {
    await commitPlan(this.database, async () => ({
      writes: await this.#beginning(await this.#get(id), name, actor),
      result: undefined,
    }));
    for (let isDone = false; !isDone;) {
      const { value } = await this.#get(id);
      if (value.name === name) break;
      while (await this.#moveSome(id, value.name, name));
      // Whoever has made a container there since has written the collection, too: it is looked again.
      isDone = await commitPlan(this.database, () => this.#ending(id, name, actor));
    }
    return this.#get(id);
  }

  async #beginning(collection: Collection, name: string, actor: Actor): Promise<readonly Change[]> {
    const { id, value } = collection;
    const subject = collectionSubject(collection);
    enforce(mayManage(actor, subject), () => missing('collection', placeOf(subject)));
    if (value.movingTo === name || (value.movingTo === undefined && value.name === name)) return [];
    if (value.movingTo !== undefined)
      throw new DomainError(
        'conflict',
        `${placeOf(subject)} is being renamed to ${value.movingTo}, which is not finished`,
        { reason: 'rename_under_way', remedy: 'Rename it to that first: the same request finishes it.' },
      );
    const path = `${value.entityName}/${name}`;
    if (!(await this.names.isFree(path)))
      throw new DomainError('conflict', `There is a collection ${path} already`, { reason: 'name_taken' });
    return [
      this.collections.replacement(collection, { ...value, movingTo: name }),
      await this.names.take(path, id),
    ];
  }

  /** @returns whether there may be more */
  async #moveSome(collection: string, from: string, to: string): Promise<boolean> {
    return commitPlan(this.database, async () => {
      const containers = await this.containers.named(collection, from, PART);
      const moves = await Promise.all(containers.map((container) => this.#move(container, to)));
      return { writes: moves.flat(), result: containers.length > 0 };
    });
  }

  async #move(container: Container, to: string): Promise<Change[]> {
    const { id, value } = container;
    const { entityName, collectionName: from, name, formerNames = [], formerPaths = [] } = value;
    const isBack = (path: string): boolean => path.startsWith(`${to}/`);
    const former = [
      ...formerPaths.filter((path) => !isBack(path)),
      ...formerNames.map((one) => `${from}/${one}`),
      `${from}/${name}`,
    ];
    const forgotten = former.slice(0, -LIMITS.formerPaths);
    const releases = await Promise.all(
      forgotten.map((path) => this.names.releaseFormer(`${entityName}/${path}`, id)),
    );
    const moved: ContainerDocument = {
      ...value,
      collectionName: to,
      // Names that it had when the collection was called so before.
      formerNames: formerPaths
        .filter(isBack)
        .map((path) => path.slice(to.length + 1))
        .filter((one) => one !== name),
      formerPaths: former.slice(-LIMITS.formerPaths),
    };
    return [
      this.containers.replacement(container, moved),
      await this.names.take(`${entityName}/${to}/${name}`, id),
      this.names.keepUntil(`${entityName}/${from}/${name}`, id, this.#until()),
      ...releases.flat(),
    ];
  }

  async #ending(
    id: string,
    name: string,
    actor: Actor,
  ): Promise<{ writes: readonly Change[]; result: boolean }> {
    const collection = await this.#get(id);
    const { movingTo: _, ...value } = collection.value;
    // Somebody else has finished it.
    if (collection.value.movingTo !== name) return { writes: [], result: true };
    const subject = collectionSubject(collection);
    enforce(mayManage(actor, subject), () => missing('collection', placeOf(subject)));
    if ((await this.containers.named(id, value.name, 1)).length > 0) return { writes: [], result: false };
    const until = this.#until();
    const former = [
      ...(value.formerNames ?? []).filter((one) => one.name !== name),
      { name: value.name, until },
    ];
    const forgotten = former.slice(0, -LIMITS.formerNames);
    const releases = await Promise.all(
      forgotten.map((one) => this.names.releaseFormer(`${value.entityName}/${one.name}`, id)),
    );
    const renamed = {
      ...value,
      name,
      formerNames: former.slice(-LIMITS.formerNames),
      updatedAt: this.clock.now().toISOString(),
    };
    return {
      writes: [
        this.collections.replacement(collection, renamed),
        this.names.keepUntil(placeOf(subject), id, until),
        ...releases.flat(),
        ...this.terms.changes(collectionTerms(collection), collectionTerms({ id, value: renamed })),
        this.trail.write(
          changed({
            subject,
            actor,
            before: { private: value.private, name: value.name },
            after: { private: value.private, name },
          }),
        ),
        // As with containers: strangers are told no name that they could not know.
        this.feed.write(
          placeChanged(
            collectionPlace({ id, value: renamed }),
            actor,
            value.private ? {} : { formerName: value.name },
          ),
        ),
      ],
      result: true,
    };
  }

  #until(): number {
    return this.clock.now().getTime() + LIMITS.formerName;
  }

  async #get(id: string): Promise<Collection> {
    const collection = await this.collections.get(id);
    if (collection === undefined) throw missing('collection', id);
    return collection;
  }
}

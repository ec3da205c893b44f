import { Inject, Injectable } from '@nestjs/common';
import { type Caller, Trail } from '#libs/audit';
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
 * then on, and at last the collection has its new name. What is cut off anywhere serves both names, until the same request finishes it, or
 * {@link UnfinishedRenames} does.
 */
@Injectable()
export class CollectionRenameService {
  /** Collections of which a request of this process is at work. */
  readonly #busy = new Set<string>();

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
    this.#busy.add(id);
    try {
      await this.#proceed(id, name, actor);
    } finally {
      this.#busy.delete(id);
    }
    return this.#get(id);
  }

  /**
   * Goes on with what was cut off, as whoever has begun it: they were allowed to, and half of it is worse than all. Others may be at it,
   * too. @param signal stops between two commits
   */
  async finish({ id, value: { movingTo } }: Collection, signal: AbortSignal): Promise<void> {
    if (movingTo === undefined || this.#busy.has(id)) return;
    await this.#proceed(id, movingTo, null, signal);
  }

  async #proceed(id: string, name: string, actor: Actor | null, signal?: AbortSignal): Promise<void> {
    for (let isDone = false; !isDone;) {
      const { value } = await this.#get(id);
      if (value.movingTo !== name) return;
      for (let isMore = true; isMore;) {
        if (signal?.aborted === true) return;
        isMore = await this.#moveSome(id, value.name, name);
      }
      // Whoever has made a container there since has written the collection, too: it is looked again.
      isDone = await commitPlan(this.database, () => this.#ending(id, name, actor));
    }
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
        {
          reason: 'rename_under_way',
          remedy:
            'Wait a minute: it is being finished. The request to rename it to that finishes it at once.',
        },
      );
    const path = `${value.entityName}/${name}`;
    if (!(await this.names.isFree(path)))
      throw new DomainError('conflict', `There is a collection ${path} already`, { reason: 'name_taken' });
    return [
      this.collections.replacement(collection, { ...value, movingTo: name, movingBy: callerOf(actor) }),
      await this.names.take(path, id),
    ];
  }

  /** @returns whether there may be more */
  async #moveSome(collection: string, from: string, to: string): Promise<boolean> {
    return commitPlan(this.database, async () => {
      const containers = await this.containers.named(collection, from, PART);
      // Read behind them: where others have finished it, and given it yet another name, these have changed since, and stay.
      const { value } = await this.#get(collection);
      if (value.name !== from || value.movingTo !== to) return { writes: [], result: false };
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
    asking: Actor | null,
  ): Promise<{ writes: readonly Change[]; result: boolean }> {
    const collection = await this.#get(id);
    const { movingTo, movingBy, ...value } = collection.value;
    // Somebody else has finished it.
    if (movingTo !== name) return { writes: [], result: true };
    const subject = collectionSubject(collection);
    if (asking !== null) enforce(mayManage(asking, subject), () => missing('collection', placeOf(subject)));
    const begunBy: Caller | null = movingBy === undefined ? null : { ...movingBy, via: movingBy.via };
    const actor = asking ?? begunBy;
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

/** Who asks, as it is remembered for whoever goes on with it. */
function callerOf({ accountId, username, tokenId, originTokenId, via }: Actor) {
  return { accountId, username, tokenId, originTokenId, ...(via === undefined ? {} : { via }) };
}

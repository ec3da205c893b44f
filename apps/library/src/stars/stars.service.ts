import { Inject, Injectable } from '@nestjs/common';
import { Trail } from '#libs/audit';
import type { Actor, ListQuery, StarAnswer } from '#libs/contract';
import { type Clock } from '#libs/core';
import { CLOCK } from '#libs/server';
import { commitPlan, DATABASE, type Database } from '../database.store.js';
import { starred } from '../events.js';
import { missing } from '../missing.js';
import { enforce, mayRead, mayStar } from '../policy.js';
import { type Container, ContainersStore } from '../tree/containers.store.js';
import { containerSubject } from '../tree/subjects.js';
import { TreeService } from '../tree/tree.service.js';
import { type Star, StarsStore } from './stars.store.js';

/** A container, and the star that somebody gave it. */
export interface Starred {
  readonly star: Star;
  readonly container: Container;
}

/** What people like: one star of an account for a container, and their number with the container, in one commit. */
@Injectable()
export class StarsService {
  constructor(
    @Inject(DATABASE) private readonly database: Database,
    @Inject(CLOCK) private readonly clock: Clock,
    private readonly tree: TreeService,
    private readonly containers: ContainersStore,
    private readonly stars: StarsStore,
    private readonly trail: Trail,
  ) {}

  /**
   * Gives a star or takes it back. The same again changes nothing.
   * @throws DomainError `not_found` for what the caller may not know of, `forbidden` for a token that reads elsewhere
   */
  async set(path: string, wanted: boolean, actor: Actor): Promise<StarAnswer['data']> {
    const { id } = await this.tree.container(path, actor);
    const absent = () => missing('container', path);
    await commitPlan(this.database, async () => {
      const container = await this.containers.get(id);
      if (container === undefined) throw absent();
      enforce(mayStar(actor, containerSubject(container)), absent);
      const star = await this.stars.get(actor.accountId, id);
      if ((star !== undefined) === wanted) return { writes: [], result: undefined };
      const given = { account: actor.accountId, container: id, at: this.clock.now().toISOString() };
      return {
        writes: [
          star === undefined ? this.stars.creation(given) : this.stars.removal(star),
          // Fails where the container is gone: whoever removes it looks again at its stars.
          this.containers.starring(id, wanted ? 1 : -1),
          this.trail.write(starred(container, wanted, actor)),
        ],
        result: undefined,
      };
    });
    return { starred: wanted, stars: (await this.containers.get(id))?.value.stars ?? 0 };
  }

  /** The stars of the caller, the latest first: those of containers that they may still know of. A page may be shorter than its limit. */
  async mine(query: ListQuery, actor: Actor): Promise<{ items: readonly Starred[]; cursor?: string }> {
    const { items, cursor } = await this.stars.ofAccount(actor.accountId, query);
    const found = await this.containers.getMany(items.map(({ value }) => value.container));
    const visible = new Map(
      found.filter((one) => mayRead(actor, containerSubject(one)).allowed).map((one) => [one.id, one]),
    );
    const shown = items.flatMap((star) => {
      const container = visible.get(star.value.container);
      return container === undefined ? [] : [{ star, container }];
    });
    return { items: shown, ...(cursor === undefined ? {} : { cursor }) };
  }
}

import { type BeforeApplicationShutdown, Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { type Clock, messageOf, newObjectId } from '#libs/core';
import { CLOCK, LOG, type Logger } from '#libs/server';
import { commitPlan, DATABASE, type Database } from '../database.store.js';
import type { ByRules } from '../events.js';
import { LIBRARY_LIMITS, type LibraryLimits } from '../limits.js';
import { placeOf } from '../policy.js';
import { type Container, ContainersStore } from '../tree/containers.store.js';
import { EntitiesStore, type Entity } from '../tree/entities.store.js';
import { containerSubject } from '../tree/subjects.js';
import { LeasesStore } from './leases.store.js';
import { RetainerService, rulesFor } from './retainer.service.js';

/** Containers and entities of one round, and containers that are read at once. */
const PART = 100;

/**
 * Applies the rules of those containers and entities that say so, once a day, without anybody who asks. One process does it for all that
 * share the database. A run that is cut off is due still, and repeating it removes nothing twice.
 */
@Injectable()
export class DailyRetention implements OnModuleInit, BeforeApplicationShutdown {
  readonly #stopping = new AbortController();
  readonly #me = newObjectId();
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<number> | undefined;

  constructor(
    @Inject(DATABASE) private readonly database: Database,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(LOG) private readonly log: Logger,
    @Inject(LIBRARY_LIMITS) private readonly limits: LibraryLimits,
    private readonly leases: LeasesStore,
    private readonly entities: EntitiesStore,
    private readonly containers: ContainersStore,
    private readonly retainer: RetainerService,
  ) {}

  onModuleInit(): void {
    this.#timer = setInterval(() => {
      this.#running ??= this.round()
        .catch((error: unknown) => {
          this.log.warn(`Rules of retention could not be applied: ${messageOf(error)}`);
          return 0;
        })
        .finally(() => (this.#running = undefined));
    }, this.limits.retentionInterval).unref();
  }

  /** While the database still takes what is under way. */
  async beforeApplicationShutdown(): Promise<void> {
    clearInterval(this.#timer);
    this.#stopping.abort();
    await this.#running;
  }

  /** Applies what is due, unless another process is doing that. @returns how many images are gone */
  async round(): Promise<number> {
    if (!(await this.#lease())) return 0;
    let removed = 0;
    try {
      for (const container of await this.containers.retaining(this.#now(), PART)) {
        const run = async () => (removed += await this.#retain(container.id, 'container'));
        const name = placeOf(containerSubject(container));
        if (!(await this.#attempt(run, name, (at) => this.#put(container, at)))) return removed;
      }
      for (const entity of await this.entities.retaining(this.#now(), PART)) {
        const run = async () => (removed += await this.#retainAll(entity));
        if (!(await this.#attempt(run, entity.value.name, (at) => this.#putEntity(entity, at))))
          return removed;
      }
    } finally {
      // Whoever comes next need not wait.
      await this.leases.take('retention', { by: this.#me, now: this.#now(), until: 0 }).catch(() => false);
    }
    if (removed > 0) this.log.info({ removed }, 'Images that no rule keeps were removed');
    return removed;
  }

  /** What fails is tried again later: one container keeps the others from nothing. @returns false: stop */
  async #attempt(
    run: () => Promise<unknown>,
    name: string,
    put: (at: number) => Promise<void>,
  ): Promise<boolean> {
    try {
      await run();
      await put(this.#now() + this.limits.retentionRound);
    } catch (error) {
      if (error instanceof Stopped) return false;
      this.log.warn({ name }, `Its rules of retention could not be applied: ${messageOf(error)}`);
      await put(this.#now() + this.limits.retentionLease).catch(() => undefined);
    }
    return true;
  }

  async #retainAll({ id }: Entity): Promise<number> {
    let removed = 0;
    let cursor: string | undefined;
    do {
      const page = await this.containers.ofEntity(id, PART, cursor);
      ({ cursor } = page);
      for (const container of page.items)
        if (container.value.retention === undefined) removed += await this.#retain(container.id, 'entity');
    } while (cursor !== undefined);
    return removed;
  }

  /** By the rules as they are now: whoever has just taken them back finds everything there. */
  async #retain(id: string, of: ByRules['of']): Promise<number> {
    if (!(await this.#lease())) throw new Stopped();
    const container = await this.containers.get(id);
    if (container === undefined) return 0;
    const by = rulesFor(container, (await this.entities.get(container.value.entity))?.value);
    if (by?.of !== of || by.rules.apply !== 'daily') return 0;
    let removed = 0;
    for (const image of await this.retainer.judged(container, by.rules)) {
      if (this.#stopping.signal.aborted) throw new Stopped();
      if (image.kept !== null) continue;
      if (removed % PART === 0 && !(await this.#lease())) throw new Stopped();
      if (await this.retainer.remove(image, container, null, by)) removed += 1;
    }
    return removed;
  }

  /** When it is due next, unless its owner has said otherwise meanwhile. */
  async #put({ id, value: { retainAt } }: Container, at: number): Promise<void> {
    await commitPlan(this.database, async () => {
      const container = await this.containers.get(id);
      const isSame = container !== undefined && container.value.retainAt === retainAt;
      const writes = isSame
        ? [this.containers.replacement(container, { ...container.value, retainAt: at })]
        : [];
      return { writes, result: undefined };
    });
  }

  async #putEntity({ id, value: { retainAt } }: Entity, at: number): Promise<void> {
    await commitPlan(this.database, async () => {
      const entity = await this.entities.get(id);
      const isSame = entity !== undefined && entity.value.retainAt === retainAt;
      const writes = isSame ? [this.entities.replacement(entity, { ...entity.value, retainAt: at })] : [];
      return { writes, result: undefined };
    });
  }

  #lease(): Promise<boolean> {
    const now = this.#now();
    return this.leases.take('retention', { by: this.#me, now, until: now + this.limits.retentionLease });
  }

  #now(): number {
    return this.clock.now().getTime();
  }
}

/** The service stops, or another process goes on. */
class Stopped extends Error {}

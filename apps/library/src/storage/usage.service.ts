import { Inject, Injectable } from '@nestjs/common';
import { BlobStore } from '#libs/blobs';
import { type Clock, DomainError, parseDigest } from '#libs/core';
import { CLOCK } from '#libs/server';
import { CollectionsStore } from '../tree/collections.store.js';
import { type Container, ContainersStore } from '../tree/containers.store.js';
import { ContentsStore } from './contents.store.js';
import type { Change } from '../database.store.js';
import { EntitiesStore, type Entity } from '../tree/entities.store.js';

interface Use {
  readonly entity: Entity;
  readonly container: Container;
  readonly hash: string;
  readonly size: number;
}

/**
 * Who needs which content, and what it counts: the writes for it, to be committed together with what changes. Equal content
 * counts once in an entity; it is stored once for all of them.
 */
@Injectable()
export class UsageService {
  constructor(
    @Inject(CLOCK) private readonly clock: Clock,
    private readonly blobs: BlobStore,
    private readonly contents: ContentsStore,
    private readonly entities: EntitiesStore,
    private readonly collections: CollectionsStore,
    private readonly containers: ContainersStore,
  ) {}

  /** Whether the quota allows the entity this content: always when it has it already. */
  async fits(entity: Entity, hash: string, size: number): Promise<boolean> {
    const { quota, held } = entity.value;
    if (quota === 0 || held + size <= quota) return true;
    return this.isHeld(entity, hash);
  }

  /** Whether the entity has images of this content: more of them cost nothing. */
  async isHeld(entity: Entity, hash: string): Promise<boolean> {
    return (await this.contents.holding(entity.id, hash)) !== undefined;
  }

  /**
   * An image gets its content.
   * @param have what the caller holds already: a claim on the blob, and reserved bytes
   * @throws TryAgain while the blob is being removed
   */
  async adding(use: Use, have: { readonly claimed: boolean; readonly reserved: number }): Promise<Change[]> {
    const { entity, hash, size } = use;
    const holding = await this.contents.holding(entity.id, hash);
    const changes = [
      this.contents.heldOnceMore(entity.id, hash, size, holding),
      ...this.#counters(use, size),
    ];
    const isNew = holding === undefined;
    if (isNew) changes.push(this.entities.using(entity.id, size));
    const held = (isNew ? size : 0) - have.reserved;
    if (held !== 0) changes.push(this.entities.holding(entity, held));
    // The holding of the entity is one claim, whoever brought it.
    if (isNew && !have.claimed) changes.push(await this.contents.claim(hash, size));
    if (!isNew && have.claimed) changes.push(...(await this.#release(hash)).changes);
    return changes;
  }

  /** An image loses its content. `last`: the blob is nobody's any more and has to be {@link discard}ed after the commit. */
  async removing(use: Use): Promise<{ changes: Change[]; last: boolean }> {
    const { entity, hash, size } = use;
    const holding = await this.contents.holding(entity.id, hash);
    const changes = this.#counters(use, -size);
    if (!holding) return { changes, last: false };
    changes.push(this.contents.heldOnceLess(holding));
    if (holding.value.images > 1) return { changes, last: false };
    const release = await this.#release(hash);
    changes.push(
      this.entities.using(entity.id, -size),
      this.entities.holding(entity, -size),
      ...release.changes,
    );
    return { changes, last: release.last };
  }

  /** A claim of an upload that comes to nothing. */
  releasing(hash: string): Promise<{ changes: Change[]; last: boolean }> {
    return this.#release(hash);
  }

  /** Removes a blob whose last claim is gone. Idempotent; what a crash or a failure leaves is finished by the sweep. */
  async discard(hash: string): Promise<void> {
    // Somebody else may have finished it, and the content may be there again.
    if (!(await this.contents.isRemoving(hash))) return;
    await this.blobs.remove(parseDigest(hash));
    await this.contents.forget(hash);
  }

  /** Hashes of blobs whose removal was begun until `time` (milliseconds since 1970) and is not over. */
  undiscarded(time: number): Promise<string[]> {
    return this.contents.removing(time);
  }

  #counters({ container }: Use, bytes: number): Change[] {
    return [
      this.containers.using(container.id, bytes),
      this.collections.using(container.value.collection, bytes),
    ];
  }

  async #release(hash: string): Promise<{ changes: Change[]; last: boolean }> {
    const release = await this.contents.release(hash, this.clock.now().getTime());
    return release === undefined
      ? { changes: [], last: false }
      : { changes: [release.change], last: release.last };
  }
}

/** The error of an entity that is full (library contract §6.5: a clear message, because clients show it). */
export function overQuota({ value }: Entity, bytes: number): DomainError {
  const { name, quota, size, held } = value;
  const open = held > size ? ` and ${held - size} are reserved by uploads under way` : '';
  return new DomainError(
    'out_of_space',
    `The quota of ${name} is ${quota} bytes, ${size} are used${open}: ${bytes} more do not fit`,
    { reason: 'over_quota', remedy: 'Delete images that nobody needs, or ask an administrator for more.' },
  );
}

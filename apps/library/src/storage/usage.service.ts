import { Inject, Injectable } from '@nestjs/common';
import { BlobStore } from '#libs/blobs';
import { ScsConfig } from '#libs/config';
import { type Clock, parseDigest } from '#libs/core';
import { CLOCK } from '#libs/server';
import { CollectionsStore } from '../tree/collections.store.js';
import { type Container, ContainersStore } from '../tree/containers.store.js';
import { BlobHealth } from './blobHealth.store.js';
import { AccountsStore } from './accounts.store.js';
import { ContentsStore } from './contents.store.js';
import type { Change } from '../database.store.js';
import type { Shortage } from './quota.js';
import { EntitiesStore, type Entity } from '../tree/entities.store.js';

/** What an upload has reserved, in bytes, and of whom. */
interface Reserved {
  readonly username: string;
  readonly reserved: number;
  readonly accountReserved?: number | undefined;
}

interface Use {
  readonly entity: Entity;
  readonly container: Container;
  /** The name of whoever brings it. */
  readonly account: string;
  readonly hash: string;
  readonly size: number;
}

/**
 * Who needs which content, and what it counts: the writes for it, to be committed together with what changes. Equal content
 * counts once in an entity; it is stored once for all of them. It counts for the account that brought it into the entity first.
 */
@Injectable()
export class UsageService {
  constructor(
    @Inject(CLOCK) private readonly clock: Clock,
    private readonly config: ScsConfig,
    private readonly blobs: BlobStore,
    private readonly health: BlobHealth,
    private readonly contents: ContentsStore,
    private readonly entities: EntitiesStore,
    private readonly accounts: AccountsStore,
    private readonly collections: CollectionsStore,
    private readonly containers: ContainersStore,
  ) {}

  /**
   * What keeps the entity or the account from having this content; nothing does when the entity has it already.
   * @param account its name
   * @param have what an upload of it has reserved already
   */
  async shortage(
    entity: Entity,
    account: string,
    content: { readonly hash: string; readonly size: number },
    have: { readonly reserved: number; readonly accountReserved?: number | undefined } = { reserved: 0 },
  ): Promise<Shortage | undefined> {
    const wanted = content.size - have.reserved;
    const { name, quota, size: used, held } = entity.value;
    const isFull = quota > 0 && wanted > 0 && held + wanted > quota;
    const own = await this.accounts.get(account);
    const { size: ownUsed = 0, held: ownHeld = 0 } = own?.value ?? {};
    const ownQuota = this.quotaOf(own?.value);
    const ownWanted = content.size - (have.accountReserved ?? 0);
    const isOwnFull = ownQuota > 0 && ownWanted > 0 && ownHeld + ownWanted > ownQuota;
    if ((!isFull && !isOwnFull) || (await this.isHeld(entity, content.hash))) return undefined;
    return isFull
      ? { whose: 'entity', name, quota, used, reserved: held - used, wanted }
      : {
          whose: 'account',
          name: account,
          quota: ownQuota,
          used: ownUsed,
          reserved: ownHeld - ownUsed,
          wanted: ownWanted,
        };
  }

  /** What an account may hold, in bytes; 0 for no limit. @param account undefined: one that is not known yet */
  quotaOf(account: { readonly quota?: number | undefined } | undefined): number {
    return account?.quota ?? this.config.library.accountQuota;
  }

  /** Reserves bytes of both quotas: fails with `bounds` when that would go over one. */
  async reserving(entity: Entity, account: string, bytes: number): Promise<Change[]> {
    if (bytes === 0) return [];
    return [this.entities.holding(entity, bytes), ...(await this.#accountChanges(account, 0, bytes))];
  }

  /** Gives back what an upload has reserved. @param entity undefined: it is gone */
  async givingBack(entity: Entity | undefined, upload: Reserved): Promise<Change[]> {
    const { username, reserved, accountReserved = 0 } = upload;
    return [
      ...(entity === undefined || reserved === 0 ? [] : [this.entities.holding(entity, -reserved)]),
      ...(await this.#accountChanges(username, 0, -accountReserved)),
    ];
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
  async adding(
    use: Use,
    have: {
      readonly claimed: boolean;
      readonly reserved: number;
      readonly accountReserved?: number | undefined;
    },
  ): Promise<Change[]> {
    const { entity, account, hash, size } = use;
    const holding = await this.contents.holding(entity.id, hash);
    const changes = [
      holding === undefined
        ? this.contents.heldFirst(entity.id, hash, size, account)
        : this.contents.heldOnceMore(holding),
      ...this.#counters(use, size),
    ];
    const isNew = holding === undefined;
    if (isNew) changes.push(this.entities.using(entity.id, size));
    const held = (isNew ? size : 0) - have.reserved;
    if (held !== 0) changes.push(this.entities.holding(entity, held));
    const own = isNew ? size : 0;
    changes.push(...(await this.#accountChanges(account, own, own - (have.accountReserved ?? 0))));
    // The holding of the entity is one claim, whoever brought it.
    if (isNew && !have.claimed) changes.push(await this.contents.claim(hash, size));
    if (!isNew && have.claimed) changes.push(...(await this.#release(hash)).changes);
    return changes;
  }

  /** An image loses its content. `last`: the blob is nobody's any more and has to be {@link discard}ed after the commit. */
  async removing(use: Omit<Use, 'account'>): Promise<{ changes: Change[]; last: boolean }> {
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
      ...(await this.#accountChanges(holding.value.account, -size, -size)),
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
    await this.health.forget(hash);
    await this.contents.forget(hash);
  }

  /** Hashes of blobs whose removal was begun until `time` (milliseconds since 1970) and is not over. */
  undiscarded(time: number): Promise<string[]> {
    return this.contents.removing(time);
  }

  async #accountChanges(name: string | undefined, size: number, held: number): Promise<Change[]> {
    if (name === undefined || (size === 0 && held === 0)) return [];
    const account = await this.accounts.get(name);
    return this.accounts.changing(name, account, { size, held }, this.quotaOf(account?.value));
  }

  #counters({ container }: Pick<Use, 'container'>, bytes: number): Change[] {
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

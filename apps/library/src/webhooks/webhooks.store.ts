import { Inject, Injectable } from '@nestjs/common';
import type { Collection } from '#libs/documents';
import { type Change, DATABASE, type Database } from '../database.store.js';
import { LIMITS } from '../limits.js';
import {
  LEASE_ID,
  type LeaseDocument,
  LEASES,
  type StoredWebhook,
  type WebhookDocument,
  type WebhookIndex,
  WEBHOOKS,
} from './documents.store.js';

export type { StoredWebhook, WebhookDocument } from './documents.store.js';

/** Webhooks by id, and of an entity; and which process looks after them. */
@Injectable()
export class WebhooksStore {
  /** Whether other processes may deliver too. */
  readonly shared: boolean;
  readonly #webhooks: Collection<WebhookDocument, WebhookIndex>;
  readonly #leases: Collection<LeaseDocument, never>;

  constructor(@Inject(DATABASE) database: Database) {
    this.shared = database.driver === 'mongodb';
    this.#webhooks = database.collection<WebhookDocument, WebhookIndex>(WEBHOOKS);
    this.#leases = database.collection<LeaseDocument, never>(LEASES);
  }

  get(id: string): Promise<StoredWebhook | undefined> {
    return this.#webhooks.get(id);
  }

  /** Oldest first. */
  async ofEntity(entity: string): Promise<readonly StoredWebhook[]> {
    return (await this.#webhooks.scan('byEntity', { equal: [entity], limit: LIMITS.webhooks + 1 })).items;
  }

  /** Those that somebody has to look after by now, longest waiting first. */
  async due(now: number, limit: number): Promise<readonly StoredWebhook[]> {
    return (await this.#webhooks.scan('byDue', { before: now + 1, limit })).items;
  }

  /** Whether any has deliveries that wait, now or later. */
  async anyDue(): Promise<boolean> {
    return (await this.#webhooks.keys('byDue', { limit: 1 })).length > 0;
  }

  creation(id: string, value: WebhookDocument): Change {
    return this.#webhooks.write.insert(id, value);
  }

  /** Compare and set. */
  replacement({ id, revision }: StoredWebhook, value: WebhookDocument): Change {
    return this.#webhooks.write.replace(id, revision, value);
  }

  /** Compare and set. @returns false when somebody was faster */
  async replace({ id, revision }: StoredWebhook, value: WebhookDocument): Promise<boolean> {
    return (await this.#webhooks.replace(id, revision, value)) === 'replaced';
  }

  removal({ id }: StoredWebhook): Change {
    return this.#webhooks.write.delete(id);
  }

  /** Reads, changes and writes until nobody was faster. Undefined: nothing is to be written. */
  async update(
    id: string,
    change: (value: WebhookDocument) => WebhookDocument | undefined,
  ): Promise<WebhookDocument | undefined> {
    return this.#webhooks.update(id, (value) => (value === undefined ? undefined : change(value)));
  }

  /**
   * Takes, or goes on with, the lease of deliveries.
   * @param anyway of a database that no other process opens: whoever had it is dead
   * @returns whether it is ours
   */
  async lease(me: string, now: number, until: number, anyway: boolean): Promise<boolean> {
    const found = await this.#leases.get(LEASE_ID);
    const value = { by: me, until };
    if (found === undefined) return (await this.#leases.insert(LEASE_ID, value)) === 'inserted';
    if (!anyway && found.value.by !== me && found.value.until > now) return false;
    return (await this.#leases.replace(LEASE_ID, found.revision, value)) === 'replaced';
  }
}

import { hash } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import type { LibraryEvent } from '#libs/contract';
import type { Collection, ScanResult } from '#libs/documents';
import { type Change, DATABASE, type Database } from '../database.store.js';
import {
  DELIVERIES,
  type DeliveryDocument,
  type DeliveryIndex,
  type StoredDelivery,
} from './documents.store.js';

export type { DeliveryDocument, StoredDelivery } from './documents.store.js';

/** Documents of one read or removal. */
const MOST = 500;

/** Deliveries: what waits, what became of the others, and how much of that is remembered. */
@Injectable()
export class DeliveriesStore {
  readonly #deliveries: Collection<DeliveryDocument, DeliveryIndex>;

  constructor(@Inject(DATABASE) private readonly database: Database) {
    this.#deliveries = database.collection<DeliveryDocument, DeliveryIndex>(DELIVERIES);
  }

  get(id: string): Promise<StoredDelivery | undefined> {
    return this.#deliveries.get(id);
  }

  /** @param until when it is given up, in milliseconds since 1970 */
  creation(
    webhook: string,
    event: LibraryEvent,
    { now, until }: { readonly now: Date; readonly until: number },
  ): { readonly id: string; readonly write: Change } {
    const id = deliveryId(webhook, event.id);
    const createdAt = now.toISOString();
    const write = this.#deliveries.write.insert(id, {
      webhook,
      event,
      state: 'waiting',
      order: `${createdAt} ${nextPlace()} ${id}`,
      createdAt,
      dueAt: now.getTime(),
      until,
      attempts: 0,
      log: [],
    });
    return { id, write };
  }

  /** Compare and set. */
  replacement({ id, revision }: StoredDelivery, value: DeliveryDocument): Change {
    return this.#deliveries.write.replace(id, revision, value);
  }

  /** Compare and set. @returns false when somebody was faster, or it is gone */
  async replace({ id, revision }: StoredDelivery, value: DeliveryDocument): Promise<boolean> {
    return (await this.#deliveries.replace(id, revision, value)) === 'replaced';
  }

  /** Newest first, page by page. @throws DomainError `bad_request` for a cursor of another list */
  page(
    webhook: string,
    { limit, cursor }: { readonly limit: number; readonly cursor?: string | undefined },
  ): Promise<ScanResult<DeliveryDocument>> {
    const place = cursor === undefined ? {} : { cursor };
    return this.#deliveries.scan('byWebhook', { equal: [webhook], direction: 'descending', limit, ...place });
  }

  /** The one of a webhook whose turn it is next. */
  async next(webhook: string): Promise<StoredDelivery | undefined> {
    return (await this.#deliveries.scan('byWebhookDue', { equal: [webhook], limit: 1 })).items[0];
  }

  /** How many wait, over all webhooks, up to a number. */
  async countWaiting(most: number): Promise<number> {
    return (await this.#deliveries.keys('byDue', { limit: most })).length;
  }

  /** Every webhook for which something waits. */
  async *webhooksWithWaiting(): AsyncGenerator<string> {
    let cursor: string | undefined;
    const seen = new Set<string>();
    do {
      const place = cursor === undefined ? {} : { cursor };
      const page = await this.#deliveries.scan('byDue', { limit: MOST, ...place });
      for (const { value } of page.items) {
        if (seen.has(value.webhook)) continue;
        seen.add(value.webhook);
        yield value.webhook;
      }
      cursor = page.cursor;
    } while (cursor !== undefined);
  }

  /** The oldest ones that wait for a webhook beyond a number. */
  async beyond(webhook: string, most: number): Promise<readonly StoredDelivery[]> {
    const newest = await this.#deliveries.keys('byWebhookDue', {
      equal: [webhook],
      direction: 'descending',
      limit: most,
    });
    const last = newest.at(-1)?.keys[1];
    if (newest.length < most || last === undefined) return [];
    return (await this.#deliveries.scan('byWebhookDue', { equal: [webhook], before: last, limit: MOST }))
      .items;
  }

  /** Forgets those of a webhook that are over, beyond a number: the oldest ones. */
  async forgetBeyond(webhook: string, most: number): Promise<void> {
    const newest = await this.#deliveries.keys('byWebhookOver', {
      equal: [webhook],
      direction: 'descending',
      limit: most,
    });
    const last = newest.at(-1)?.keys[1];
    if (newest.length < most || last === undefined) return;
    await this.#removeAll(async () =>
      this.#deliveries.keys('byWebhookOver', { equal: [webhook], before: last, limit: MOST }),
    );
  }

  /** Forgets those of all webhooks that were made before a time (ISO) and are over. */
  async forgetBefore(time: string): Promise<void> {
    await this.#removeAll(async () => this.#deliveries.keys('byOver', { before: time, limit: MOST }));
  }

  /** Forgets all of a webhook that is gone. */
  async forgetAll(webhook: string): Promise<void> {
    await this.#removeAll(async () => this.#deliveries.keys('byWebhook', { equal: [webhook], limit: MOST }));
  }

  async #removeAll(find: () => Promise<readonly { readonly id: string }[]>): Promise<void> {
    for (;;) {
      const found = await find();
      if (found.length === 0) return;
      await this.database.commit(found.map(({ id }) => this.#deliveries.write.delete(id)));
    }
  }
}

let places = 0;

/** Deliveries of one process keep their order within a millisecond. */
function nextPlace(): string {
  places = (places + 1) % 0x10000;
  return places.toString(16).padStart(4, '0');
}

/** The same for the same event and webhook: whatever is done twice makes one delivery. */
function deliveryId(webhook: string, event: string): string {
  return hash('sha256', `${webhook} ${event}`).slice(0, 24);
}

import type { z } from 'zod';
import {
  type ChangeWebhookRequest,
  DeliveriesList,
  type Delivery,
  DeliveryAnswer,
  RemovedAnswer,
  type Webhook,
  WebhookAnswer,
  type WebhookRequest,
  WebhooksList,
} from '#libs/contract';
import type { HttpClient } from '../http.js';
import type { CallOptions } from './libraryClient.js';
import { addressOf, ManageCalls } from './manageCalls.js';

/** `secret` is there where it was just made. */
export type WebhookWithSecret = z.output<typeof WebhookAnswer>['data'];

/** Webhooks of an entity of a library of ours: for its owners. */
export class WebhooksClient {
  readonly #calls: ManageCalls;
  readonly #entity: string;

  constructor(http: HttpClient, entity: string, options: CallOptions = {}) {
    this.#calls = new ManageCalls(http, options);
    this.#entity = entity;
  }

  /** Oldest first. */
  list(): Promise<readonly Webhook[]> {
    return this.#calls.pages(this.#at(), WebhooksList);
  }

  async add(request: Partial<WebhookRequest> & Pick<WebhookRequest, 'url'>): Promise<WebhookWithSecret> {
    return (await this.#calls.call('POST', this.#at(), WebhookAnswer, { json: request })).data;
  }

  /** Changes what is named and nothing else. */
  async change(id: string, change: ChangeWebhookRequest): Promise<WebhookWithSecret> {
    return (await this.#calls.call('PATCH', this.#at(id), WebhookAnswer, { json: change })).data;
  }

  /** With all that waits for it. */
  async remove(id: string): Promise<void> {
    await this.#calls.call('DELETE', this.#at(id), RemovedAnswer);
  }

  /** Sends an event that tells nothing, as soon as possible. */
  async ping(id: string): Promise<Delivery> {
    return (await this.#calls.call('POST', this.#at(id, 'ping'), DeliveryAnswer)).data;
  }

  /** Newest first. */
  deliveries(id: string): Promise<readonly Delivery[]> {
    return this.#calls.pages(this.#at(id, 'deliveries'), DeliveriesList);
  }

  /** The same once more, with the same id. */
  async redeliver(id: string, delivery: string): Promise<Delivery> {
    const address = this.#at(id, 'deliveries', delivery, 'redeliver');
    return (await this.#calls.call('POST', address, DeliveryAnswer)).data;
  }

  #at(...rest: readonly string[]): string {
    return addressOf('webhooks', [this.#entity], ...rest);
  }
}

import { Inject, Injectable } from '@nestjs/common';
import { Trail } from '#libs/audit';
import type { Actor, ChangeWebhookRequest, LibraryEvent, ListQuery, WebhookRequest } from '#libs/contract';
import { type Clock, DomainError, newObjectId } from '#libs/core';
import { CLOCK } from '#libs/server';
import { commitPlan, DATABASE, type Database } from '../database.store.js';
import { LIBRARY_LIMITS, type LibraryLimits } from '../limits.js';
import { missing } from '../missing.js';
import { enforce, mayManage } from '../policy.js';
import { EntitiesStore, type Entity } from '../tree/entities.store.js';
import { entitySubject } from '../tree/subjects.js';
import { TreeService } from '../tree/tree.service.js';
import { Reachable } from './addresses.js';
import { DeliveriesStore, type StoredDelivery } from './deliveries.store.js';
import { DeliveriesService } from './deliveries.service.js';
import { WebhookSecrets } from './secrets.js';
import { targetOf } from './target.js';
import { webhookEvent } from './webhookEvents.js';
import { type StoredWebhook, type WebhookDocument, WebhooksStore } from './webhooks.store.js';

/** A webhook, and its secret where it was just made. */
export interface WithSecret {
  readonly webhook: StoredWebhook;
  readonly secret?: string;
}

/** Webhooks of entities: for owners, and nobody else learns that there are any. */
@Injectable()
export class WebhooksService {
  constructor(
    @Inject(DATABASE) private readonly database: Database,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(LIBRARY_LIMITS) private readonly limits: LibraryLimits,
    private readonly tree: TreeService,
    private readonly entities: EntitiesStore,
    private readonly webhooks: WebhooksStore,
    private readonly deliveries: DeliveriesStore,
    private readonly delivering: DeliveriesService,
    private readonly secrets: WebhookSecrets,
    private readonly reachable: Reachable,
    private readonly trail: Trail,
  ) {}

  /** Oldest first. @throws DomainError `not_found`, `forbidden`; so do the next ones */
  async list(name: string, actor: Actor): Promise<readonly StoredWebhook[]> {
    return this.webhooks.ofEntity((await this.#entity(name, actor)).id);
  }

  async find(name: string, id: string, actor: Actor): Promise<StoredWebhook> {
    return this.#in(await this.#entity(name, actor), id);
  }

  /** @throws DomainError `bad_request` for an address that events are not sent to; `conflict` when there are too many */
  async create(name: string, request: WebhookRequest, actor: Actor): Promise<WithSecret> {
    const { id: entityId } = await this.#entity(name, actor);
    const url = targetOf(request.url, this.reachable);
    const id = newObjectId();
    const { secret, sealed } = this.secrets.make(id);
    await commitPlan(this.database, async () => {
      const entity = await this.entities.get(entityId);
      if (!entity) throw missing('entity', name);
      if ((await this.webhooks.ofEntity(entityId)).length >= this.limits.webhooks)
        throw new DomainError('conflict', `${name} has ${this.limits.webhooks} webhooks already`, {
          reason: 'too_many_webhooks',
          remedy: 'Remove one first.',
        });
      const now = this.clock.now().toISOString();
      const value: WebhookDocument = {
        entity: entityId,
        entityName: entity.value.name,
        url,
        kinds: request.kinds,
        description: request.description,
        secret: sealed,
        createdBy: actor.username,
        createdAt: now,
        updatedAt: now,
      };
      return {
        writes: [
          // As it was read: two at once do not both fit, and it is not removed meanwhile.
          this.entities.replacement(entity, entity.value),
          this.webhooks.creation(id, value),
          this.trail.write(webhookEvent('webhook.create', actor, undefined, { id, value })),
        ],
        result: undefined,
      };
    });
    return { webhook: await this.find(name, id, actor), secret };
  }

  /** One that is enabled again goes on with what waits. @throws DomainError as {@link create} */
  async change(name: string, id: string, request: ChangeWebhookRequest, actor: Actor): Promise<WithSecret> {
    const entity = await this.#entity(name, actor);
    const url = request.url === undefined ? undefined : targetOf(request.url, this.reachable);
    const made = request.newSecret === true ? this.secrets.make(id) : undefined;
    await commitPlan(this.database, async () => {
      const webhook = await this.#in(entity, id);
      const value = this.#changed(webhook.value, { ...request, url }, made?.sealed);
      return {
        writes: [
          this.webhooks.replacement(webhook, value),
          this.trail.write(webhookEvent('webhook.change', actor, webhook, { id, value })),
        ],
        result: undefined,
      };
    });
    this.delivering.wake();
    const webhook = await this.#in(entity, id);
    return { webhook, ...(made === undefined ? {} : { secret: made.secret }) };
  }

  /** With all that waits for it. */
  async remove(name: string, id: string, actor: Actor): Promise<void> {
    const entity = await this.#entity(name, actor);
    await commitPlan(this.database, async () => {
      const webhook = await this.#in(entity, id);
      return {
        writes: [
          this.webhooks.removal(webhook),
          this.trail.write(webhookEvent('webhook.delete', actor, webhook, undefined)),
        ],
        result: undefined,
      };
    });
    await this.deliveries.forgetAll(id);
  }

  /** Newest first. @throws DomainError also `bad_request` for a cursor of another list */
  async deliveriesOf(
    name: string,
    id: string,
    query: ListQuery,
    actor: Actor,
  ): Promise<{ readonly items: readonly StoredDelivery[]; readonly cursor?: string }> {
    const webhook = await this.find(name, id, actor);
    return this.deliveries.page(webhook.id, query);
  }

  /** Sends it an event that tells nothing, as soon as possible. @throws DomainError `conflict` for one that is disabled */
  async ping(name: string, id: string, actor: Actor): Promise<StoredDelivery> {
    const entity = await this.#entity(name, actor);
    const event: LibraryEvent = {
      id: newObjectId(),
      kind: 'ping',
      time: this.clock.now().toISOString(),
      place: entity.value.name,
      by: actor.username,
    };
    const made = await commitPlan(this.database, async () => {
      const webhook = await this.#enabled(entity, id);
      const { id: delivery, write } = this.delivering.creation(webhook.id, event);
      return {
        writes: [write, ...this.#asked(webhook, actor)],
        result: delivery,
      };
    });
    return this.#waiting(made);
  }

  /** The same delivery once more, with the same id. @throws DomainError `conflict` for one that waits, or of a webhook that is disabled */
  async redeliver(name: string, id: string, delivery: string, actor: Actor): Promise<StoredDelivery> {
    const entity = await this.#entity(name, actor);
    await commitPlan(this.database, async () => {
      const webhook = await this.#enabled(entity, id);
      const found = await this.deliveries.get(delivery);
      if (found?.value.webhook !== id)
        throw new DomainError('not_found', `There is no delivery ${delivery}`, {
          reason: 'delivery_not_found',
        });
      if (found.value.state === 'waiting')
        throw new DomainError('conflict', 'The delivery waits for its next attempt already', {
          reason: 'delivery_waiting',
        });
      const now = this.clock.now().getTime();
      const { over: _, ...rest } = found.value;
      const again = { ...rest, state: 'waiting', dueAt: now, until: now + this.limits.deliveryEnd } as const;
      return {
        writes: [this.deliveries.replacement(found, again), ...this.#asked(webhook, actor)],
        result: undefined,
      };
    });
    return this.#waiting(delivery);
  }

  /** Somebody wants to see it now: whatever it has failed before. */
  #asked(webhook: StoredWebhook, actor: Actor) {
    const value = { ...webhook.value, dueAt: this.clock.now().getTime() };
    return [
      this.webhooks.replacement(webhook, value),
      this.trail.write(webhookEvent('webhook.deliver', actor, undefined, { id: webhook.id, value })),
    ];
  }

  async #waiting(id: string): Promise<StoredDelivery> {
    const delivery = await this.deliveries.get(id);
    if (!delivery) throw new DomainError('not_found', `There is no delivery ${id}`);
    this.delivering.wake();
    return delivery;
  }

  #changed(before: WebhookDocument, request: ChangeWebhookRequest, sealed?: string): WebhookDocument {
    const { url, kinds, description, enabled } = request;
    const { disabled, failingSince, dueAt, ...rest } = before;
    const now = this.clock.now();
    const isOn = enabled ?? disabled === undefined;
    const turnedOn = isOn && disabled !== undefined;
    return {
      ...rest,
      ...(url === undefined ? {} : { url }),
      ...(kinds === undefined ? {} : { kinds }),
      ...(description === undefined ? {} : { description }),
      ...(sealed === undefined ? {} : { secret: sealed }),
      ...(isOn ? {} : { disabled: disabled ?? 'by_owner' }),
      // Another address is another receiver, and one that is enabled again gets a new chance.
      ...(failingSince === undefined || turnedOn || url !== undefined ? {} : { failingSince }),
      ...(isOn && (turnedOn || url !== undefined || dueAt !== undefined)
        ? { dueAt: turnedOn || url !== undefined ? now.getTime() : dueAt }
        : {}),
      updatedAt: now.toISOString(),
    };
  }

  async #entity(name: string, actor: Actor): Promise<Entity> {
    const entity = await this.tree.entity(name, actor);
    enforce(mayManage(actor, entitySubject(entity)), () => missing('entity', name));
    return entity;
  }

  async #in(entity: Entity, id: string): Promise<StoredWebhook> {
    const webhook = await this.webhooks.get(id);
    if (webhook?.value.entity === entity.id) return webhook;
    throw new DomainError('not_found', `There is no webhook ${id}`, { reason: 'webhook_not_found' });
  }

  async #enabled(entity: Entity, id: string): Promise<StoredWebhook> {
    const webhook = await this.#in(entity, id);
    if (webhook.value.disabled === undefined) return webhook;
    throw new DomainError('conflict', `The webhook is disabled`, {
      reason: 'webhook_disabled',
      remedy: 'Enable it first: PATCH with {"enabled":true}.',
    });
  }
}

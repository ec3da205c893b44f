import type { Delivery, Webhook } from '#libs/contract';
import type { StoredDelivery } from './deliveries.store.js';
import type { StoredWebhook } from './webhooks.store.js';

/* Stored documents → answers. No secret is in any of them. */

export function presentWebhook({ id, value }: StoredWebhook): Webhook {
  const { url, kinds, description, disabled, failingSince, dueAt, ...rest } = value;
  const { createdBy, createdAt, updatedAt } = rest;
  return {
    id,
    url,
    kinds,
    description,
    enabled: disabled === undefined,
    disabledReason: disabled ?? null,
    failingSince: failingSince ?? null,
    nextDeliveryAt: dueAt === undefined ? null : new Date(dueAt).toISOString(),
    createdBy,
    createdAt,
    updatedAt,
  };
}

export function presentDelivery({ id, value }: StoredDelivery): Delivery {
  const { state, event, createdAt, dueAt, attempts, log } = value;
  const nextAttemptAt = dueAt === undefined ? null : new Date(dueAt).toISOString();
  return { id, state, event, createdAt, nextAttemptAt, attempts, log };
}

import { z } from 'zod';
import { envelope } from './envelope.js';

/*
 * What happens in a library, told as it happens: as server-sent events to whoever may read it, and to the webhooks of an entity.
 */

/** Everything that is told. The list is closed: to tell something else is to change it. */
export const LIBRARY_EVENT_KINDS = [
  'collection.change',
  'collection.create',
  'collection.delete',
  'container.change',
  'container.create',
  'container.delete',
  'entity.change',
  'entity.create',
  'entity.delete',
  'image.delete',
  'image.push',
  'key.revoked',
  'tag.delete',
  'tag.move',
  'tag.set',
] as const;
export const LibraryEventKind = z.enum(LIBRARY_EVENT_KINDS);
export type LibraryEventKind = z.infer<typeof LibraryEventKind>;

const details = {
  tag: z.string().optional(),
  arch: z.string().optional(),
  /** SHA-256 of the image. */
  hash: z.string().optional(),
  /** Bytes of the image. */
  size: z.number().optional(),
  /** Of a tag that was moved: the hash of the image that had it. */
  previous: z.string().optional(),
  /** Of `key.revoked`: the key by which the image is signed no longer. */
  fingerprint: z.string().optional(),
  /** As they are after a change. */
  private: z.boolean().optional(),
  readOnly: z.boolean().optional(),
  /** Of a container that has another name now: the one before. */
  formerName: z.string().optional(),
};

/** What an event says besides what it is about: members that do not belong to its kind are absent. */
export const LibraryEventDetails = z.object(details);
export type LibraryEventDetails = z.infer<typeof LibraryEventDetails>;

/** An event. Its id is the same in every stream and for every webhook, however often it is told. */
export const LibraryEvent = z.object({
  id: z.string(),
  /** One of {@link LIBRARY_EVENT_KINDS}; `ping` where an owner tries a webhook. */
  kind: z.string(),
  /** ISO, UTC. */
  time: z.string(),
  /** `entity`, `entity/collection` or `entity/collection/container`, as it was called then. */
  place: z.string(),
  /** User name; absent for what the library does by itself, and for strangers to the entity. */
  by: z.string().optional(),
  ...details,
});
export type LibraryEvent = z.infer<typeof LibraryEvent>;

/** `GET /v1/events`: `Last-Event-ID` says the same as `after`, and wins. Without either only what is still to come. */
export const EventsQuery = z.object({
  /** The name of one entity; without it all that the caller may read. */
  entity: z.string().max(255).optional(),
  /** The id of the last event that the client has, as the stream said it. */
  after: z.string().max(100).optional(),
});
export type EventsQuery = z.output<typeof EventsQuery>;

/** Where webhooks are managed: `<entity>[/<id>[/deliveries|ping]]` below it. */
export const WEBHOOKS_PATH = '/v1/manage/webhooks';

export const WEBHOOK_LIMITS = { url: 2000, description: 200 } as const;

const url = z.string().max(WEBHOOK_LIMITS.url);
const kinds = z
  .array(LibraryEventKind)
  .max(LIBRARY_EVENT_KINDS.length)
  .transform((list) => [...new Set(list)].toSorted());
const description = z.string().max(WEBHOOK_LIMITS.description);

/** `POST /v1/manage/webhooks/{entity}`. Without kinds it gets all of them, also such as come later. */
export const WebhookRequest = z.object({
  url,
  kinds: kinds.default([]),
  description: description.default(''),
});
export type WebhookRequest = z.output<typeof WebhookRequest>;

/** `PATCH /v1/manage/webhooks/{entity}/{id}`: what is absent stays as it is. `newSecret: true` makes another secret. */
export const ChangeWebhookRequest = z.object({
  url: url.optional(),
  kinds: kinds.optional(),
  description: description.optional(),
  enabled: z.boolean().optional(),
  newSecret: z.boolean().optional(),
});
export type ChangeWebhookRequest = z.output<typeof ChangeWebhookRequest>;

/** Why nothing is delivered: owners said so; every delivery failed for days; the key that sealed its secret is gone. */
export const WebhookDisabled = z.enum(['by_owner', 'failing', 'secret_lost']);
export type WebhookDisabled = z.infer<typeof WebhookDisabled>;

export const Webhook = z.object({
  id: z.string(),
  url: z.string(),
  kinds: z.array(z.string()),
  description: z.string(),
  enabled: z.boolean(),
  disabledReason: WebhookDisabled.nullable(),
  /** Since when no delivery has succeeded. */
  failingSince: z.string().nullable(),
  /** When deliveries go on; null: nothing waits. */
  nextDeliveryAt: z.string().nullable(),
  createdBy: z.string(),
  createdAt: z.string(),
  updatedAt: z.string(),
});
export type Webhook = z.infer<typeof Webhook>;

/** `secret` once, in the answer that makes it. */
export const WebhookAnswer = envelope(Webhook.extend({ secret: z.string().optional() }));
export const WebhooksList = envelope(z.array(Webhook));

/** `waiting`: for its first or next attempt. */
export const DeliveryState = z.enum(['waiting', 'delivered', 'given_up']);
export type DeliveryState = z.infer<typeof DeliveryState>;

/** Why an attempt failed. Nothing that a receiver says gets in here, but the status. */
export const DeliveryError = z.enum([
  'address_refused',
  'certificate_refused',
  'connection_failed',
  'status',
  'timeout',
]);
export type DeliveryError = z.infer<typeof DeliveryError>;

export const DeliveryAttempt = z.object({
  at: z.string(),
  /** HTTP status; null when there was none. */
  status: z.number().nullable(),
  /** Milliseconds. */
  duration: z.number(),
  /** null: it was taken. */
  error: DeliveryError.nullable(),
});
export type DeliveryAttempt = z.infer<typeof DeliveryAttempt>;

export const Delivery = z.object({
  /** The same at every attempt: whoever has seen it has seen it. */
  id: z.string(),
  state: DeliveryState,
  event: LibraryEvent,
  createdAt: z.string(),
  /** Of one that waits. */
  nextAttemptAt: z.string().nullable(),
  attempts: z.number(),
  /** The last ones, oldest first. */
  log: z.array(DeliveryAttempt),
});
export type Delivery = z.infer<typeof Delivery>;

export const DeliveryAnswer = envelope(Delivery);
export const DeliveriesList = envelope(z.array(Delivery));

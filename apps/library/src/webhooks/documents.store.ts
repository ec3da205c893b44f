import { z } from 'zod';
import { DeliveryAttempt, DeliveryState, LibraryEvent, WebhookDisabled } from '#libs/contract';
import type { CollectionSpec, Stored } from '#libs/documents';

const WebhookDocument = z.object({
  /** Id, and the name that does not change. */
  entity: z.string(),
  entityName: z.string(),
  url: z.string(),
  /** Empty: all of them. */
  kinds: z.array(z.string()),
  description: z.string(),
  /** Sealed: who reads the database cannot sign. */
  secret: z.string(),
  /** Absent: it is enabled. */
  disabled: WebhookDisabled.optional(),
  /** ISO: since when no delivery has succeeded. */
  failingSince: z.string().optional(),
  /** When somebody has to look after its deliveries, in milliseconds since 1970; absent while none waits. */
  dueAt: z.number().optional(),
  createdBy: z.string(),
  createdAt: z.string(),
  updatedAt: z.string(),
});
export type WebhookDocument = z.infer<typeof WebhookDocument>;
export type StoredWebhook = Stored<WebhookDocument>;
export type WebhookIndex = 'byEntity' | 'byDue';
export const WEBHOOKS = {
  name: 'webhooks',
  schema: WebhookDocument,
  indexes: { byEntity: { fields: ['entity', 'createdAt'] }, byDue: { fields: ['dueAt'] } },
} as const satisfies CollectionSpec<WebhookDocument>;

/** An event for a webhook, with all that became of it. Its id is what the receiver sees at every attempt. */
const DeliveryDocument = z.object({
  webhook: z.string(),
  event: LibraryEvent,
  state: DeliveryState,
  /** ISO time, a counter and the id: newest last, in the order of the feed, and no two are equal. */
  order: z.string(),
  /** ISO. */
  createdAt: z.string(),
  /** Of one that waits, in milliseconds since 1970. */
  dueAt: z.number().optional(),
  /** When it is given up, in milliseconds since 1970. */
  until: z.number(),
  /** Of one that is over: `order` again. */
  over: z.string().optional(),
  attempts: z.number(),
  log: z.array(DeliveryAttempt),
});
export type DeliveryDocument = z.infer<typeof DeliveryDocument>;
export type StoredDelivery = Stored<DeliveryDocument>;
export type DeliveryIndex = 'byWebhook' | 'byWebhookDue' | 'byWebhookOver' | 'byDue' | 'byOver';
export const DELIVERIES = {
  name: 'deliveries',
  schema: DeliveryDocument,
  indexes: {
    byWebhook: { fields: ['webhook', 'order'] },
    byWebhookDue: { fields: ['webhook', 'dueAt', 'order'] },
    byWebhookOver: { fields: ['webhook', 'over'] },
    byDue: { fields: ['dueAt', 'webhook'] },
    byOver: { fields: ['over'] },
  },
} as const satisfies CollectionSpec<DeliveryDocument>;

/** Which process delivers; there is one, {@link LEASE_ID}. */
const LeaseDocument = z.object({ by: z.string(), until: z.number() });
export type LeaseDocument = z.infer<typeof LeaseDocument>;
export const LEASE_ID = 'deliveries';
export const LEASES = {
  name: 'webhookLease',
  schema: LeaseDocument,
  indexes: {},
} as const satisfies CollectionSpec<LeaseDocument>;

import type { AuditEvent } from '#libs/audit';
import type { Actor, AuditState } from '#libs/contract';
import type { WebhookDocument } from './webhooks.store.js';

type Of = { readonly id: string; readonly value: WebhookDocument };

/** What the audit trail says of webhooks: whose, and to which host. An address may hold what only its receiver should know. */
export function webhookEvent(
  action: 'webhook.create' | 'webhook.change' | 'webhook.delete' | 'webhook.deliver',
  actor: Actor | null,
  before: Of | undefined,
  after: Of | undefined,
): AuditEvent {
  const about = after ?? before;
  if (about === undefined) throw new Error(`${action} is about no webhook`);
  const reason = after?.value.disabled;
  return {
    action,
    actor,
    subject: { kind: 'webhook', name: `${about.value.entityName}@${about.id}` },
    ...(before === undefined ? {} : { before: stateOf(before.value) }),
    ...(after === undefined ? {} : { after: stateOf(after.value) }),
    ...(reason === undefined || action !== 'webhook.change' ? {} : { reason }),
  };
}

/** Names of hosts are cut where the trail cuts names. */
const LONGEST = 100;

function stateOf({ url, disabled }: WebhookDocument): AuditState {
  return { name: new URL(url).host.slice(0, LONGEST), disabled: disabled !== undefined };
}

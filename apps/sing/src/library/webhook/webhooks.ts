import { type Output, printable, type Surroundings } from '#libs/cli';
import type { WebhooksClient } from '#libs/client';
import type { Webhook } from '#libs/contract';
import { parseEntity, withLibraryHttp } from '../path.js';

export const entityPositional = { name: 'entity', summary: 'name of the entity' } as const;
export const webhookPositional = {
  name: 'id',
  summary: 'id of the webhook, as sing library webhook list says it',
} as const;

/** Runs work with the webhooks of an entity, for its owners. */
export function withWebhooks<T>(
  place: Surroundings,
  entity: string,
  work: (webhooks: WebhooksClient) => Promise<T>,
): Promise<T> {
  const name = parseEntity(entity);
  return withLibraryHttp(place, { token: true }, async (http) => {
    const { WebhooksClient } = await import('#libs/client');
    return work(new WebhooksClient(http, name, { signal: place.signal }));
  });
}

/** How a webhook is, in a few words. */
export function stateOf({ enabled, disabledReason, failingSince }: Webhook): string {
  if (!enabled) return disabledReason === null ? 'disabled' : `disabled (${disabledReason})`;
  return failingSince === null ? 'enabled' : `failing since ${failingSince.slice(0, 16).replace('T', ' ')}`;
}

/** What was made or changed, with its secret where there is a new one: it is never said again. */
export function showMade(
  { out, log }: { readonly out: Output; readonly log: Surroundings['log'] },
  webhook: Webhook & { readonly secret?: string | undefined },
  { json, done }: { readonly json: boolean; readonly done: string },
): void {
  log.info(`The webhook ${webhook.id} was ${done}.`);
  if (json) out.json({ webhooks: [webhook] });
  if (webhook.secret === undefined) return;
  if (!json) out.line(printable(webhook.secret));
  log.info('Its receiver checks signatures with this secret, which is not shown again.');
}

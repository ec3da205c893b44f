import type { Write } from '#libs/documents';
import type { Look } from './look.js';
import type { CheckParts, Shown, Suspect, Walk, Walked } from './room.store.js';
import { all, byId } from './tables.store.js';

/**
 * Webhooks against the entities that they are of, and deliveries against their webhooks. What waits for a webhook that nobody looks after
 * is found by whoever delivers.
 */
export class WebhooksCheck {
  readonly #parts: CheckParts;

  constructor(parts: CheckParts) {
    this.#parts = parts;
  }

  get walks(): readonly Walk[] {
    return [
      { name: 'webhooks', part: (from) => this.#webhooks(from) },
      { name: 'deliveries', part: (from) => this.#deliveries(from) },
    ];
  }

  async #webhooks(from: string | undefined): Promise<Walked> {
    const { tables, limits } = this.#parts;
    const options = { limit: limits.checkedPart, ...(from === undefined ? {} : { cursor: from }) };
    const { items, cursor } = await tables.webhooks.scan('byEntity', options);
    const entities = await byId(
      tables.entities,
      items.map(({ value }) => value.entity),
    );
    const suspects = items
      .filter(({ value }) => !entities.has(value.entity))
      .map(({ id }): Suspect => ({ name: id, look: (look) => this.#lookAtWebhook(id, look) }));
    return { suspects, next: cursor };
  }

  async #lookAtWebhook(id: string, look: Look): Promise<Shown> {
    const { tables } = this.#parts;
    const webhook = await tables.webhooks.get(id);
    look.sawDocument(webhook);
    if (webhook === undefined) return { differences: [] };
    const { entity, entityName } = webhook.value;
    const found = await tables.entities.get(entity);
    look.saw(found?.id);
    if (found !== undefined) return { differences: [] };
    // By what the trail calls it: its address may hold a secret.
    const problem = { kind: 'webhook_stray', name: `${entityName}@${id}`, what: entity } as const;
    const mend = [
      tables.webhooks.write.delete(id, webhook.revision),
      ...(await this.#deletions(id, look)).writes,
    ];
    return { differences: [{ problem, subject: 'webhook', mend }] };
  }

  async #deliveries(from: string | undefined): Promise<Walked> {
    const { tables, limits } = this.#parts;
    const options = { limit: limits.checkedPart, ...(from === undefined ? {} : { cursor: from }) };
    const { items, cursor } = await tables.deliveries.scan('byWebhook', options);
    const webhooks = await byId(
      tables.webhooks,
      items.map(({ value }) => value.webhook),
    );
    const ids = new Set(items.map(({ value }) => value.webhook).filter((id) => !webhooks.has(id)));
    const suspects = [...ids].map((id): Suspect => ({
      name: id,
      look: (look) => this.#lookAtDeliveries(id, look),
    }));
    return { suspects, next: cursor };
  }

  async #lookAtDeliveries(webhook: string, look: Look): Promise<Shown> {
    const { tables } = this.#parts;
    const found = await tables.webhooks.get(webhook);
    look.saw(found?.id);
    const { writes: mend, counted: recorded } = await this.#deletions(webhook, look);
    if (found !== undefined || recorded === 0) return { differences: [] };
    const problem = { kind: 'delivery_stray', name: webhook, recorded, counted: 0 } as const;
    return { differences: [{ problem, subject: 'webhook', mend }] };
  }

  /** What is too much for one repair is found by the walk over deliveries, or by the next check. */
  async #deletions(webhook: string, look: Look): Promise<{ writes: Write[]; counted: number }> {
    const { tables, limits } = this.#parts;
    const writes: Write[] = [];
    let counted = 0;
    for await (const delivery of all(tables.deliveries, 'byWebhook', [webhook])) {
      look.sawDocument(delivery);
      counted += 1;
      if (writes.length < limits.repairWrites - 10)
        writes.push(tables.deliveries.write.delete(delivery.id, delivery.revision));
    }
    return { writes, counted };
  }
}

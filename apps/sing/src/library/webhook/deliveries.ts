import { defineCommand, jsonFlag } from '#libs/cli';
import type { Delivery } from '#libs/contract';
import { entityPositional, webhookPositional, withWebhooks } from './webhooks.js';

export const webhookDeliveries = defineCommand({
  name: 'deliveries',
  summary: 'list what was sent to a webhook and what waits, newest first',
  description:
    'What fails is tried again, less and less often, for a day. With --json every attempt with its time. ' +
    'Answers: a status of HTTP, or why there was none: address_refused, certificate_refused, connection_failed, timeout.',
  positionals: [entityPositional, webhookPositional],
  flags: jsonFlag,
  flagsAnywhere: true,
  examples: [
    { line: 'sing library webhook deliveries alice 66f0c2…', summary: 'what its receiver has said' },
  ],
  async run(ctx) {
    const deliveries = await withWebhooks(ctx, ctx.args.entity, (hooks) => hooks.deliveries(ctx.args.id));
    if (ctx.flags.json) ctx.out.json({ deliveries });
    else if (deliveries.length === 0) ctx.log.info('Nothing was sent to it yet.');
    else ctx.out.table(['ID', 'STATE', 'EVENT', 'PLACE', 'SINCE', 'ATTEMPTS', 'ANSWER'], deliveries.map(row));
  },
});

function row({ id, state, event, createdAt, attempts, log }: Delivery): string[] {
  const last = log.at(-1);
  return [
    id,
    state,
    event.kind,
    event.place,
    createdAt.slice(0, 19).replace('T', ' '),
    String(attempts),
    last === undefined ? '-' : String(last.status ?? last.error ?? '-'),
  ];
}

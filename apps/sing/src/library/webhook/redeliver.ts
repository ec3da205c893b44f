import { defineCommand, jsonFlag } from '#libs/cli';
import { entityPositional, webhookPositional, withWebhooks } from './webhooks.js';

export const webhookRedeliver = defineCommand({
  name: 'redeliver',
  summary: 'send an event once more, with the same id',
  positionals: [
    entityPositional,
    webhookPositional,
    { name: 'delivery', summary: 'id of the delivery, as sing library webhook deliveries says it' },
  ],
  flags: jsonFlag,
  flagsAnywhere: true,
  examples: [
    {
      line: 'sing library webhook redeliver alice 66f0c2… 66f0d1…',
      summary: 'after the receiver was mended',
    },
  ],
  async run(ctx) {
    const { entity, id, delivery } = ctx.args;
    const again = await withWebhooks(ctx, entity, (hooks) => hooks.redeliver(id, delivery));
    if (ctx.flags.json) ctx.out.json({ deliveries: [again] });
    else
      ctx.log.info(
        `${again.id} is on its way again. What became of it: sing library webhook deliveries ${entity} ${id}`,
      );
  },
});

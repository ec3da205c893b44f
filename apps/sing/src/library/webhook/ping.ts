import { defineCommand, jsonFlag } from '#libs/cli';
import { entityPositional, webhookPositional, withWebhooks } from './webhooks.js';

export const webhookPing = defineCommand({
  name: 'ping',
  summary: 'send an event that tells nothing, to try a webhook',
  positionals: [entityPositional, webhookPositional],
  flags: jsonFlag,
  flagsAnywhere: true,
  examples: [{ line: 'sing library webhook ping alice 66f0c2…', summary: 'is it taken?' }],
  async run(ctx) {
    const { entity, id } = ctx.args;
    const delivery = await withWebhooks(ctx, entity, (hooks) => hooks.ping(id));
    if (ctx.flags.json) ctx.out.json({ deliveries: [delivery] });
    else
      ctx.log.info(
        `The ping ${delivery.id} is on its way. What became of it: sing library webhook deliveries ${entity} ${id}`,
      );
  },
});

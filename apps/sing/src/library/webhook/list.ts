import { defineCommand, jsonFlag } from '#libs/cli';
import { entityPositional, stateOf, withWebhooks } from './webhooks.js';

export const webhookList = defineCommand({
  name: 'list',
  aliases: ['ls'],
  summary: 'list the webhooks of an entity, and how they are',
  positionals: [entityPositional],
  flags: jsonFlag,
  flagsAnywhere: true,
  examples: [{ line: 'sing library webhook list alice', summary: 'with their ids' }],
  async run(ctx) {
    const webhooks = await withWebhooks(ctx, ctx.args.entity, (hooks) => hooks.list());
    if (ctx.flags.json) ctx.out.json({ webhooks });
    else if (webhooks.length === 0)
      ctx.log.info(`There are no webhooks: sing library webhook add ${ctx.args.entity} URL`);
    else
      ctx.out.table(
        ['ID', 'STATE', 'KINDS', 'URL', 'DESCRIPTION'],
        webhooks.map((webhook) => [
          webhook.id,
          stateOf(webhook),
          webhook.kinds.join(',') || 'all',
          webhook.url,
          webhook.description,
        ]),
      );
  },
});

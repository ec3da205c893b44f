import { defineCommand } from '#libs/cli';
import { entityPositional, webhookPositional, withWebhooks } from './webhooks.js';

export const webhookRemove = defineCommand({
  name: 'remove',
  aliases: ['rm'],
  summary: 'remove a webhook, with all that waits for it',
  positionals: [entityPositional, webhookPositional],
  flags: { force: { type: 'boolean', short: 'F', env: ['FORCE'], summary: 'do not ask' } },
  flagsAnywhere: true,
  examples: [{ line: 'sing library webhook remove alice 66f0c2…', summary: 'nothing is sent any more' }],
  async run(ctx) {
    const { entity, id } = ctx.args;
    await withWebhooks(ctx, entity, async (hooks) => {
      const message = `Remove the webhook ${id} of ${entity}?`;
      if (!ctx.flags.force && !(await ctx.prompts.confirm({ message, flag: '--force' }))) {
        ctx.log.info('Nothing was removed.');
        return;
      }
      await hooks.remove(id);
      ctx.log.info(`The webhook ${id} was removed.`);
    });
  },
});

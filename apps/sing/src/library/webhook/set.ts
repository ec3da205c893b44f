import { defineCommand, jsonFlag, UsageError } from '#libs/cli';
import { kindFlag, kindsIn } from '../kinds.js';
import { entityPositional, showMade, webhookPositional, withWebhooks } from './webhooks.js';

const COMMAND = 'library webhook set';

export const webhookSet = defineCommand({
  name: 'set',
  summary: 'change a webhook: its address, its kinds, whether it is enabled; or make a new secret',
  description: 'Changes what is named and nothing else. One that is enabled again goes on with what waits.',
  positionals: [entityPositional, webhookPositional],
  flags: {
    url: { type: 'string', value: 'URL', summary: 'where events are sent to' },
    ...kindFlag,
    'all-kinds': { type: 'boolean', summary: 'all events, also of kinds that come later' },
    description: { type: 'string', short: 'D', value: 'TEXT', summary: 'what it is for' },
    enable: { type: 'boolean', summary: 'send again' },
    disable: { type: 'boolean', summary: 'send nothing' },
    'new-secret': { type: 'boolean', summary: 'make another secret, and print it once' },
    ...jsonFlag,
  },
  flagsAnywhere: true,
  examples: [
    { line: 'sing library webhook set alice 66f0c2… --enable', summary: 'after it was disabled for failing' },
    { line: 'sing library webhook set alice 66f0c2… --kind image,tag', summary: 'images and tags alone' },
  ],
  async run(ctx) {
    const { url, description, enable, disable, json, ...flags } = ctx.flags;
    if (enable && disable) throw new UsageError(COMMAND, '--enable and --disable exclude each other');
    if (flags['all-kinds'] && flags.kind.length > 0)
      throw new UsageError(COMMAND, '--kind and --all-kinds exclude each other');
    const change = {
      ...(url === undefined ? {} : { url }),
      ...(flags['all-kinds'] || flags.kind.length > 0 ? { kinds: await kindsIn(flags.kind) } : {}),
      ...(description === undefined ? {} : { description }),
      ...(enable || disable ? { enabled: enable } : {}),
      ...(flags['new-secret'] ? { newSecret: true } : {}),
    };
    if (Object.keys(change).length === 0) throw new UsageError(COMMAND, 'Say what to change');
    const webhook = await withWebhooks(ctx, ctx.args.entity, (hooks) => hooks.change(ctx.args.id, change));
    showMade(ctx, webhook, { json, done: 'changed' });
  },
});

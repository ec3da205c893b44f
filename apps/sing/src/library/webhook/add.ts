import { defineCommand, jsonFlag } from '#libs/cli';
import { kindFlag, kindsIn } from '../kinds.js';
import { entityPositional, showMade, withWebhooks } from './webhooks.js';

export const webhookAdd = defineCommand({
  name: 'add',
  summary: 'send what happens in an entity to an address',
  description:
    'Prints the secret that the deliveries are signed with, once. The address is https, of the internet unless the operator allows others, and leads nowhere else.',
  positionals: [entityPositional, { name: 'url', summary: 'where events are sent to' }],
  flags: {
    ...kindFlag,
    description: { type: 'string', short: 'D', value: 'TEXT', summary: 'what it is for' },
    ...jsonFlag,
  },
  flagsAnywhere: true,
  examples: [
    {
      line: 'sing library webhook add alice https://ci.example.org/hook --kind image.push',
      summary: 'tell a CI what was pushed',
    },
  ],
  async run(ctx) {
    const { args, flags } = ctx;
    const kinds = await kindsIn(flags.kind);
    const webhook = await withWebhooks(ctx, args.entity, (hooks) =>
      hooks.add({
        url: args.url,
        kinds,
        ...(flags.description === undefined ? {} : { description: flags.description }),
      }),
    );
    showMade(ctx, webhook, { json: flags.json, done: 'added' });
  },
});

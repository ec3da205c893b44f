import { defineCommand, jsonFlag } from '#libs/cli';
import { KEY_FAILURE } from './ring.js';

export const keyHide = defineCommand({
  name: 'hide',
  summary: 'hide user ids of your key on the key server',
  description:
    'What is hidden is not shown and not found any more, whoever brings it again; your own copy keeps it. For the owner of the key (sing key claim). ' +
    'A key without any user id is kept, and given to nobody until it is revoked. With --show they may come again: your key is pushed for that, where it is in your key ring.',
  failureStatus: KEY_FAILURE,
  positionals: [
    { name: 'key', summary: 'fingerprint, or key id or part of the user id of a key in your key ring' },
    { name: 'user-ids', summary: 'whole user ids, or their e-mail addresses', rest: true },
  ],
  flags: {
    show: { type: 'boolean', summary: 'show them again instead' },
    ...jsonFlag,
  },
  examples: [
    {
      line: 'sing key hide 7605BC2716168DF057D6C600ACEEC62C8BD91BEE ann@home.example.org',
      summary: 'hide an address',
    },
    {
      line: 'sing key hide --show 7605BC2716168DF057D6C600ACEEC62C8BD91BEE ann@home.example.org',
      summary: 'show it again',
    },
  ],
  async run(ctx) {
    const { hide } = await import('./owning.js');
    return hide(ctx, ctx.args.key, ctx.args['user-ids'], ctx.flags);
  },
});

import { defineCommand, jsonFlag } from '#libs/cli';
import { KEY_FAILURE } from './ring.js';

export const keyDelete = defineCommand({
  name: 'delete',
  summary: 'remove a key from the key server',
  description:
    'The owner of a key (sing key claim) removes it at once. Who has only brought it takes back the own part, and it goes when nobody is left who brought it. ' +
    'What was revoked stays revoked: of such a key the revocation stays. Your key ring is not touched; for that there is sing key remove.',
  failureStatus: KEY_FAILURE,
  positionals: [
    { name: 'key', summary: 'fingerprint, or key id or part of the user id of a key in your key ring' },
  ],
  flags: {
    force: { type: 'boolean', short: 'F', summary: 'do not ask' },
    ...jsonFlag,
  },
  examples: [
    {
      line: 'sing key delete --force 7605BC2716168DF057D6C600ACEEC62C8BD91BEE',
      summary: 'without a question',
    },
  ],
  async run(ctx) {
    const { remove } = await import('./owning.js');
    return remove(ctx, ctx.args.key, ctx.flags);
  },
});

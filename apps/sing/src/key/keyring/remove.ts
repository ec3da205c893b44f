import { defineCommand, jsonFlag } from '#libs/cli';
import { KEY_FAILURE } from '../ring.js';

export const keyringRemove = defineCommand({
  name: 'remove',
  aliases: ['rm'],
  summary: 'take a key out of the keyring of an organisation',
  description:
    'For whoever put it there, and for owners of the organisation. The key stays on the key server.',
  failureStatus: KEY_FAILURE,
  positionals: [
    { name: 'organisation', summary: 'name of the organisation' },
    { name: 'key', summary: 'fingerprint, or key id or part of the user id of a key in your key ring' },
  ],
  flags: jsonFlag,
  examples: [
    {
      line: 'sing key keyring remove physics ann@example.org',
      summary: 'nobody is told to trust it any more',
    },
  ],
  async run(ctx) {
    const { removeFromKeyring } = await import('./keyrings.js');
    return removeFromKeyring(ctx, ctx.args.organisation, ctx.args.key, ctx.flags);
  },
});

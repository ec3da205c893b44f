import { defineCommand, jsonFlag } from '#libs/cli';
import { KEY_FAILURE } from '../ring.js';

export const keyringShow = defineCommand({
  name: 'show',
  summary: 'show the keys that an organisation trusts',
  description:
    'Anybody may. With --armor the keyring itself, for gpg --import, for sing key import, or as the global keyring of a machine.',
  failureStatus: KEY_FAILURE,
  positionals: [{ name: 'organisation', summary: 'name of the organisation' }],
  flags: {
    armor: { type: 'boolean', short: 'a', summary: 'print the keyring itself' },
    ...jsonFlag,
  },
  examples: [
    { line: 'sing key keyring show physics', summary: 'fingerprints and user ids' },
    { line: 'sing key keyring show --armor physics > physics.asc', summary: 'a file to import' },
  ],
  async run(ctx) {
    const { showKeyring } = await import('./keyrings.js');
    return showKeyring(ctx, ctx.args.organisation, ctx.flags);
  },
});

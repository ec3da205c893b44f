import { defineCommand, jsonFlag } from '#libs/cli';
import { KEY_FAILURE } from '../ring.js';

export const keyringAdd = defineCommand({
  name: 'add',
  summary: 'put a key of yours into the keyring of an organisation',
  description:
    'For members, and for keys that they own (sing key claim). Everybody can read the keyring, and so sees that you belong to the organisation. ' +
    'When you leave it, the key is left out by itself.',
  failureStatus: KEY_FAILURE,
  positionals: [
    { name: 'organisation', summary: 'name of the organisation' },
    { name: 'key', summary: 'fingerprint, or key id or part of the user id of a key in your key ring' },
  ],
  flags: jsonFlag,
  examples: [
    { line: 'sing key keyring add physics ann@example.org', summary: 'for everybody who trusts physics' },
  ],
  async run(ctx) {
    const { addToKeyring } = await import('./keyrings.js');
    return addToKeyring(ctx, ctx.args.organisation, ctx.args.key, ctx.flags);
  },
});

import { defineCommand, jsonFlag } from '#libs/cli';
import { KEY_FAILURE } from './ring.js';
import { urlFlag } from './server.js';

export const keyRefresh = defineCommand({
  name: 'refresh',
  summary: 'bring the keys of your key ring up to date from the key server',
  description:
    'Asks once for all keys what became of them, and fetches those that changed: revocations, new ends, new subkeys. Says which keys are revoked now. ' +
    'The stock programs use the same key ring.',
  failureStatus: KEY_FAILURE,
  positionals: [
    {
      name: 'keys',
      summary: 'only these: fingerprints, key ids or parts of user ids',
      rest: true,
      optional: true,
    },
  ],
  flags: {
    all: { type: 'boolean', short: 'a', summary: 'fetch them all, also what seems not to have changed' },
    ...urlFlag,
    ...jsonFlag,
  },
  examples: [
    { line: 'sing key refresh', summary: 'all keys, every night for example' },
    { line: 'sing key refresh ann@example.org', summary: 'one key' },
  ],
  async run(ctx) {
    const { refresh } = await import('./refreshing.js');
    return refresh(ctx, ctx.args.keys, ctx.flags);
  },
});

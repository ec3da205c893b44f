import { defineCommand, jsonFlag } from '#libs/cli';
import { KEY_FAILURE } from './ring.js';

export const keyExpiring = defineCommand({
  name: 'expiring',
  summary: 'list your keys on the key server that end soon',
  description: 'Those that you brought or own. Give a key a later end with gpg, and push it again.',
  failureStatus: KEY_FAILURE,
  flags: {
    within: {
      type: 'integer',
      value: 'DAYS',
      minimum: 1,
      maximum: 3650,
      default: 30,
      summary: 'how soon',
    },
    ...jsonFlag,
  },
  examples: [{ line: 'sing key expiring --within 90', summary: 'in the next three months' }],
  async run(ctx) {
    const { withKeys } = await import('./keystore.js');
    const keys = await withKeys(ctx, (client) => client.expiring(ctx.flags.within));
    if (ctx.flags.json) {
      ctx.out.json({ keys: keys.map((key) => ({ ...key, fingerprint: key.fingerprint.toUpperCase() })) });
      return;
    }
    if (keys.length === 0) {
      ctx.log.info(`None of your keys ends within ${ctx.flags.within} days.`);
      return;
    }
    ctx.out.table(
      ['FINGERPRINT', 'ENDS', 'USER ID'],
      keys.map(({ fingerprint, expiresAt, userIds: [first = ''] }) => [
        fingerprint.toUpperCase(),
        expiresAt.slice(0, 10),
        first,
      ]),
    );
  },
});

import { defineCommand, jsonFlag } from '#libs/cli';
import { withKeys } from './client.js';

export const keysExpiring = defineCommand({
  name: 'expiring',
  summary: 'list the keys of everybody that end soon, the first to end first',
  flags: {
    within: { type: 'integer', value: 'DAYS', minimum: 1, maximum: 3650, default: 30, summary: 'how soon' },
    ...jsonFlag,
  },
  examples: [{ line: 'scs keys expiring --within 90', summary: 'in the next three months' }],
  async run(ctx) {
    const found = await withKeys(ctx, (client) => client.expiring(ctx.flags.within, true));
    const keys = found.map((key) => ({ ...key, fingerprint: key.fingerprint.toUpperCase() }));
    if (ctx.flags.json) {
      ctx.out.json({ keys });
      return;
    }
    ctx.out.table(
      ['FINGERPRINT', 'ENDS', 'OWNER', 'USER ID'],
      keys.map(({ fingerprint, expiresAt, owner, userIds: [first = ''] }) => [
        fingerprint,
        expiresAt.slice(0, 10),
        owner ?? '',
        first,
      ]),
    );
  },
});

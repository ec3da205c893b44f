import { defineCommand, jsonFlag } from '#libs/cli';
import { fingerprintOf, withKeys } from './client.js';

export const keysBlock = defineCommand({
  name: 'block',
  summary: 'remove keys and never let them come again',
  description:
    'The revocation goes too. What is kept is the hash of the fingerprint, and the audit trail. Removing a key without blocking it: sing key delete.',
  positionals: [{ name: 'fingerprints', summary: 'whole fingerprints', rest: true }],
  flags: jsonFlag,
  examples: [
    {
      line: 'scs keys block 7605BC2716168DF057D6C600ACEEC62C8BD91BEE',
      summary: 'also one that is not here yet',
    },
  ],
  async run(ctx) {
    const fingerprints = ctx.args.fingerprints.map(fingerprintOf);
    const blocked = await withKeys(ctx, async (client) => {
      const done = [];
      for (const fingerprint of fingerprints) {
        done.push({ fingerprint, ...(await client.block(fingerprint)) });
        ctx.log.info(`Blocked ${fingerprint}`);
      }
      return done;
    });
    if (ctx.flags.json) ctx.out.json({ blocked });
  },
});

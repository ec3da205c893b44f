import { defineCommand, jsonFlag } from '#libs/cli';
import { fingerprintOf, withKeys } from './client.js';

export const keysUnblock = defineCommand({
  name: 'unblock',
  summary: 'let blocked keys come again',
  description: 'Brings nothing back: somebody has to push the key.',
  positionals: [{ name: 'fingerprints', summary: 'whole fingerprints', rest: true }],
  flags: jsonFlag,
  examples: [
    { line: 'scs keys unblock 7605BC2716168DF057D6C600ACEEC62C8BD91BEE', summary: 'it was the wrong one' },
  ],
  async run(ctx) {
    const fingerprints = ctx.args.fingerprints.map(fingerprintOf);
    const unblocked = await withKeys(ctx, async (client) => {
      const done = [];
      for (const fingerprint of fingerprints) {
        done.push({ fingerprint, ...(await client.unblock(fingerprint)) });
        ctx.log.info(`${fingerprint} may come again`);
      }
      return done;
    });
    if (ctx.flags.json) ctx.out.json({ unblocked });
  },
});

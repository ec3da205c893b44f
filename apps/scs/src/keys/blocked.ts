import { createHash } from 'node:crypto';
import { defineCommand, jsonFlag } from '#libs/cli';
import { fingerprintOf, withKeys } from './client.js';

export const keysBlocked = defineCommand({
  name: 'blocked',
  summary: 'list blocked keys, as hashes of their fingerprints',
  description:
    'A hash is the SHA-256 of the fingerprint in lower-case letters. Exits with 1 when a key that is named is not blocked.',
  positionals: [{ name: 'fingerprints', summary: 'only whether these are', rest: true, optional: true }],
  flags: jsonFlag,
  examples: [
    { line: 'scs keys blocked', summary: 'all' },
    { line: 'scs keys blocked 7605BC2716168DF057D6C600ACEEC62C8BD91BEE', summary: 'whether this one is' },
  ],
  async run(ctx) {
    const wanted = new Map(ctx.args.fingerprints.map(fingerprintOf).map((one) => [hashOf(one), one]));
    const all = await withKeys(ctx, (client) => client.blocked());
    const blocked = all
      .filter(({ hash }) => wanted.size === 0 || wanted.has(hash))
      .map((one) => ({ ...one, fingerprint: wanted.get(one.hash) ?? null }));
    if (ctx.flags.json) ctx.out.json({ blocked });
    else
      ctx.out.table(
        ['SINCE', 'HASH', 'FINGERPRINT'],
        blocked.map(({ since, hash, fingerprint }) => [since, hash, fingerprint ?? '']),
      );
    return blocked.length < wanted.size ? 1 : 0;
  },
});

const hashOf = (fingerprint: string): string =>
  createHash('sha256').update(fingerprint.toLowerCase()).digest('hex');

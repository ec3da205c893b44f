import { defineCommand, type Surroundings, UsageError } from '#libs/cli';
import { DomainError } from '#libs/core';
import { globalRingFlag, openRing, titleOf } from './ring.js';

export const keyRemove = defineCommand({
  name: 'remove',
  aliases: ['rm'],
  summary: 'remove a key from your key ring',
  description: 'Removes the public key unless told otherwise. A key server keeps what was pushed to it.',
  positionals: [{ name: 'key', summary: 'fingerprint, key id or part of the user id' }],
  flags: {
    secret: { type: 'boolean', short: 's', aliases: ['private'], summary: 'the private key' },
    public: { type: 'boolean', short: 'p', summary: 'the public key (the default)' },
    both: { type: 'boolean', short: 'b', summary: 'the private and the public key' },
    ...globalRingFlag,
    force: {
      type: 'boolean',
      short: 'f',
      summary: 'do not ask at a terminal before a private key is removed',
    },
  },
  async run(ctx) {
    const { flags, args, prompts, log } = ctx;
    if (flags.secret && flags.public)
      throw new UsageError('key remove', 'use --both instead of --secret --public');
    const { findKey, fingerprintOf, matchesKey, parseKeyQuery } = await import('#libs/pgp');
    if (flags.global && (flags.secret || flags.both))
      throw new UsageError('key remove', 'private keys are never for all users');
    const ring = await openRing(ctx, { global: flags.global, change: true });
    const kinds = flags.both
      ? (['secret', 'public'] as const)
      : flags.secret
        ? (['secret'] as const)
        : (['public'] as const);
    const query = parseKeyQuery(args.key);
    let removed = 0;
    for (const kind of kinds) {
      const keys = await ring.keys(kind);
      // With --both a ring that lacks the key is no reason to stop.
      if (flags.both && !keys.some((key) => matchesKey(key, query))) continue;
      const key = findKey(keys, args.key);
      const title = await titleOf(key);
      if (kind === 'secret' && !flags.force) {
        if (!(await isMeant(prompts, `Remove the private key of ${title}? It cannot be brought back.`))) {
          log.info('Nothing was removed.');
          return;
        }
      }
      await ring.remove(kind, fingerprintOf(key));
      removed += 1;
      log.info(`${kind === 'secret' ? 'Private' : 'Public'} key of ${title} removed`);
    }
    if (removed === 0) {
      throw new DomainError('not_found', `There is no key ${args.key} in the key ring`, {
        reason: 'pgp_key_not_found',
        remedy: 'See what there is: sing key list',
      });
    }
  },
});

/** Asks a person at a terminal. Elsewhere it is done as it was said: scripts for the stock programs are never asked. */
async function isMeant(prompts: Surroundings['prompts'], message: string): Promise<boolean> {
  try {
    return await prompts.confirm({ message, flag: '--force' });
  } catch (error) {
    if (error instanceof DomainError && error.reason === 'not_a_terminal') return true;
    throw error;
  }
}

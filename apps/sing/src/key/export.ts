import { resolve } from 'node:path';
import { defineCommand, type Surroundings, UsageError } from '#libs/cli';
import { DomainError, placeFile } from '#libs/core';
import type { KeyRing, PgpKey, RingKind } from '#libs/pgp';
import { EXPORT_FAILURE, globalRingFlag, openRing, titleOf } from './ring.js';

export const keyExport = defineCommand({
  name: 'export',
  summary: 'write a key of your key ring to a file',
  failureStatus: EXPORT_FAILURE,
  positionals: [{ name: 'file', summary: 'where to write' }],
  flags: {
    secret: { type: 'boolean', short: 's', aliases: ['private'], summary: 'the private key' },
    ...globalRingFlag,
    armor: { type: 'boolean', short: 'a', summary: 'as text' },
    key: {
      type: 'string',
      value: 'KEY',
      summary: 'fingerprint, key id or part of the user id; asked for when absent',
    },
    force: { type: 'boolean', short: 'F', summary: 'replace an existing file' },
  },
  examples: [
    { line: 'sing key export --armor --key ann@example.org ann.asc', summary: 'write a public key as text' },
  ],
  async run(ctx) {
    const { flags, args, log } = ctx;
    const { armorKey } = await import('#libs/pgp');
    if (flags.global && flags.secret)
      throw new UsageError('key export', 'private keys are never for all users');
    const ring = await openRing(ctx, { global: flags.global, change: false });
    const key = await choose(ctx, ring, flags.secret ? 'secret' : 'public', flags.key);
    const path = resolve(ctx.cwd, args.file);
    const mode = flags.secret ? 0o600 : 0o666;
    await placeFile(path, { overwrite: flags.force, mode }, (file) =>
      file.writeFile(flags.armor ? armorKey(key) : key.bytes),
    );
    log.info(`${flags.secret ? 'Private' : 'Public'} key of ${await titleOf(key)} written to ${path}`);
  },
});

async function choose(
  { prompts }: Pick<Surroundings, 'prompts'>,
  ring: KeyRing,
  kind: RingKind,
  query: string | undefined,
): Promise<PgpKey> {
  const { findKey, fingerprintOf } = await import('#libs/pgp');
  const keys = await ring.keys(kind);
  const [only] = keys;
  if (only === undefined) {
    throw new DomainError('not_found', `There is no key in ${ring.path(kind)}`, {
      reason: 'empty_key_ring',
      remedy: 'Make one: sing key newpair',
    });
  }
  if (query !== undefined) return findKey(keys, query);
  if (keys.length === 1) return only;
  const options = await Promise.all(
    keys.map(async (key) => ({ value: fingerprintOf(key), label: await titleOf(key) })),
  );
  return findKey(
    keys,
    await prompts.select({ message: 'Which key?', flag: '--key', fromPipe: true, options }),
  );
}

import { readFile, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { defineCommand } from '#libs/cli';
import { DomainError } from '#libs/core';
import { globalRingFlag, KEY_FAILURE, openRing } from './ring.js';

export const keyImport = defineCommand({
  name: 'import',
  summary: 'put the keys of a file into your key ring',
  description:
    'Takes armored and binary files with one or more public or private keys. Keys that are there already are merged.',
  failureStatus: KEY_FAILURE,
  positionals: [{ name: 'file', summary: 'file with keys' }],
  flags: globalRingFlag,
  async run(ctx) {
    const { PGP_LIMITS, readKeys } = await import('#libs/pgp');
    const path = resolve(ctx.cwd, ctx.args.file);
    if ((await stat(path)).size > PGP_LIMITS.keyFileBytes) {
      throw new DomainError(
        'too_large',
        `${path} is larger than ${PGP_LIMITS.keyFileBytes} bytes: no key file`,
      );
    }
    const ring = await openRing(ctx, { global: ctx.flags.global, change: true });
    const words = { added: 'imported', updated: 'brought up to date', unchanged: 'already there' };
    for (const { fingerprint, kind, status } of await ring.import(await readKeys(await readFile(path)))) {
      ctx.log.info(`${kind === 'secret' ? 'Private' : 'Public'} key ${fingerprint}: ${words[status]}`);
    }
  },
});

import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { defineCommand, UsageError, type Surroundings } from '#libs/cli';
import { systemClock } from '#libs/core';
import type { Signer } from '#libs/signing';
import { sayingThat } from './failed.js';

const FAILED = 'Failed to sign container';

export const sign = defineCommand({
  name: 'sign',
  summary: 'sign an image with your private key',
  description: 'Signs everything in the image unless told otherwise. The signature becomes part of the file.',
  positionals: [{ name: 'image', summary: 'SIF file' }],
  flags: {
    'group-id': { type: 'integer', short: 'g', value: 'N', summary: 'only this group of objects' },
    'sif-id': { type: 'integer', short: 'i', value: 'N', summary: 'only this object' },
    all: { type: 'boolean', short: 'a', hidden: true, summary: 'everything (the default)' },
    keyidx: {
      type: 'integer',
      short: 'k',
      value: 'N',
      summary: 'number of the key in: sing key list --secret',
    },
    fingerprint: {
      type: 'string',
      value: 'KEY',
      summary: 'fingerprint, key id or part of the user id of the key',
    },
    'passphrase-file': { type: 'string', value: 'FILE', summary: 'file whose first line unlocks the key' },
    key: {
      type: 'string',
      value: 'FILE',
      env: ['SIGN_KEY'],
      summary: 'PEM private key instead of an OpenPGP key, of OpenSSL, sigstore or cosign',
    },
  },
  examples: [
    { line: 'sing sign hello.sif', summary: 'sign with your only key, or choose one' },
    { line: 'sing sign --fingerprint ann@example.org hello.sif', summary: 'name the key' },
  ],
  async run(ctx) {
    const { flags, args, log, signal } = ctx;
    if (flags['group-id'] !== undefined && flags['sif-id'] !== undefined) {
      throw new UsageError('sign', 'use either --group-id or --sif-id');
    }
    const [{ signImage }, { updateSifFile, readSif, withSifFile }] = await Promise.all([
      import('#libs/signing'),
      import('#libs/sif'),
    ]);
    const path = resolve(ctx.cwd, args.image);
    // Before a passphrase is asked for: is it an image at all?
    await sayingThat(FAILED, () => withSifFile(path, readSif));
    log.info(
      flags.key === undefined
        ? 'Signing image with PGP key material'
        : `Signing image with key material from '${flags.key}'`,
    );
    const signer = await sayingThat(FAILED, () => signerFor(ctx, flags));
    const options = {
      signer,
      clock: systemClock,
      signal,
      ...(flags['group-id'] === undefined ? {} : { groups: [flags['group-id']] }),
      ...(flags['sif-id'] === undefined ? {} : { object: flags['sif-id'] }),
    };
    await sayingThat(FAILED, () => updateSifFile(path, (access) => signImage(access, options)));
    log.info(`Signature created and applied to image '${args.image}'`);
  },
});

interface SignFlags {
  readonly key: string | undefined;
  readonly keyidx: number | undefined;
  readonly fingerprint: string | undefined;
  readonly 'passphrase-file': string | undefined;
}

async function signerFor(place: Surroundings, flags: SignFlags): Promise<Signer> {
  const { dsseSigner, openPrivateKey, pgpSigner } = await import('#libs/signing');
  const { passphraseFor, signingKey } = await import('./signing-key.js');
  if (flags.key !== undefined) {
    const pem = await readFile(resolve(place.cwd, flags.key), 'utf8');
    const { key: name, 'passphrase-file': file } = flags;
    return dsseSigner([await openPrivateKey(pem, () => passphraseFor(place, file, `the key in ${name}`))]);
  }
  const key = await signingKey(place, {
    index: flags.keyidx,
    query: flags.fingerprint,
    passphraseFile: flags['passphrase-file'],
  });
  const { warnOfEnds } = await import('../key/ending.js');
  await warnOfEnds(place, [key], () => true);
  return pgpSigner({ key, clock: systemClock });
}

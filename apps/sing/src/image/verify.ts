import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { defineCommand, jsonFlag, UsageError } from '#libs/cli';
import { expected } from '#libs/core';
import { warnAll } from '../sif/open.js';
import { urlFlag } from '../key/server.js';
import { sayingThat } from './failed.js';

export const verify = defineCommand({
  name: 'verify',
  summary: 'check who signed an image and that nothing changed since',
  description:
    'Every signature must be good and cover exactly what is there. Keys come from the key ring of this installation, from yours, then from the key server; they are not stored. What nobody signed is named, and what looks changed where no signature covers it.',
  positionals: [{ name: 'image', summary: 'SIF file' }],
  flags: {
    ...urlFlag,
    'group-id': { type: 'integer', short: 'g', value: 'N', summary: 'only this group of objects' },
    'sif-id': { type: 'integer', short: 'i', value: 'N', summary: 'only this object' },
    local: { type: 'boolean', short: 'l', env: ['LOCAL_VERIFY'], summary: 'only keys of your key ring' },
    all: { type: 'boolean', short: 'a', summary: 'with --legacy-insecure: every object' },
    'legacy-insecure': {
      type: 'boolean',
      summary: 'accept signatures from before Singularity 3.6, which protect less',
    },
    key: {
      type: 'string',
      value: 'FILE',
      env: ['VERIFY_KEY'],
      summary: 'PEM public key instead of OpenPGP keys',
    },
    certificate: {
      type: 'string',
      value: 'FILE',
      env: ['VERIFY_CERTIFICATE'],
      summary: 'PEM certificate of the signer instead of OpenPGP keys',
    },
    'certificate-intermediates': {
      type: 'string',
      value: 'FILE',
      env: ['VERIFY_INTERMEDIATES'],
      summary: 'PEM certificates between that one and a root',
    },
    'certificate-roots': {
      type: 'string',
      value: 'FILE',
      env: ['VERIFY_ROOTS'],
      summary: 'PEM certificates that are trusted; those of this machine without it',
    },
    'ocsp-verify': {
      type: 'boolean',
      env: ['VERIFY_OCSP'],
      summary: 'with --certificate: ask whether it was revoked, and refuse it without an answer',
    },
    ...jsonFlag,
  },
  examples: [
    { line: 'sing verify hello.sif', summary: 'see who signed it' },
    { line: 'sing verify --local hello.sif', summary: 'trust only keys that you have' },
    {
      line: 'sing verify --certificate signer.pem --certificate-roots company.pem hello.sif',
      summary: 'trust a certificate of your company',
    },
  ],
  async run(ctx) {
    const { flags, args, log, out } = ctx;
    if (flags['group-id'] !== undefined && flags['sif-id'] !== undefined)
      throw new UsageError('verify', 'use either --group-id or --sif-id');
    if (flags.key !== undefined && flags.certificate !== undefined)
      throw new UsageError('verify', 'use either --key or --certificate');
    const path = resolve(ctx.cwd, args.image);
    const [{ verifyFile }, { coverageSentences, resultJson, signatureText, verificationError }] =
      await Promise.all([import('./verification.js'), import('#libs/signing')]);
    log.info(`Verifying image with ${material(flags.key, flags.certificate)}`);
    const read = async (file: string | undefined) =>
      file === undefined ? undefined : readFile(resolve(ctx.cwd, file), 'utf8');
    if (flags['ocsp-verify'] && flags.certificate === undefined)
      log.warning(
        'Nobody is asked whether a certificate was revoked: there is none',
        'Name it with --certificate',
      );
    const certificate = await read(flags.certificate);
    const selection = {
      ...(flags['group-id'] === undefined ? {} : { groups: [positive('--group-id', flags['group-id'])] }),
      ...(flags['sif-id'] === undefined ? {} : { objects: [positive('--sif-id', flags['sif-id'])] }),
    };
    const request = {
      path,
      local: flags.local,
      url: flags.url,
      publicKey: await read(flags.key),
      certificate:
        certificate === undefined
          ? undefined
          : {
              certificate,
              intermediates: await read(flags['certificate-intermediates']),
              roots: await read(flags['certificate-roots']),
              ocsp: flags['ocsp-verify'],
            },
      all: flags.all,
      legacy: flags['legacy-insecure'],
      outside: true,
      ...selection,
    };
    const result = await sayingThat('Failed to verify container', () => verifyFile(ctx, request));
    if (flags.json) out.text(resultJson(result));
    else for (const report of result.signatures) out.text(`${signatureText(report)}\n`);
    for (const { signatureId, keyId } of result.signatures)
      if (keyId !== undefined) log.info(`Signature ${signatureId} was made with the key ${keyId}`);
    for (const { state, text } of coverageSentences(result)) {
      // Asking for a part of the image is no reason for a warning about the rest that others did sign.
      if (state === 'not_checked') log.info(text);
      else log.warning(text);
    }
    warnAll(log, result.outside);
    const { rootEncryption } = await import('#libs/sif');
    const encrypted = rootEncryption(result.image);
    // "the signature covers ciphertext" (SIF contract §3.4).
    if (encrypted !== undefined)
      log.info(`The root file system is encrypted (${encrypted}): it was checked as it is stored`);
    const failure = verificationError(result);
    if (failure !== undefined) throw failure;
    log.info(`Verified signature(s) from image '${args.image}'`);
  },
});

function material(key: string | undefined, certificate: string | undefined): string {
  if (certificate !== undefined) return `key material from certificate '${certificate}'`;
  return key === undefined ? 'PGP key material' : `key material from '${key}'`;
}

function positive(flag: string, value: number): number {
  if (value > 0) return value;
  throw new UsageError('verify', expected('a number above 0', flag, value));
}

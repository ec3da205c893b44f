import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { defineCommand, jsonFlag, UsageError } from '#libs/cli';
import { expected } from '#libs/core';
import { warnAll } from '../sif/open.js';
import { urlFlag } from '../key/server.js';

export const verify = defineCommand({
  name: 'verify',
  summary: 'check who signed an image and that nothing changed since',
  description:
    'Every signature must be good and cover exactly what is there. Keys come from your key ring, then from the key server; they are not stored.',
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
    ...jsonFlag,
  },
  examples: [
    { line: 'sing verify hello.sif', summary: 'see who signed it' },
    { line: 'sing verify --local hello.sif', summary: 'trust only keys that you have' },
  ],
  async run(ctx) {
    const { flags, args, log, out } = ctx;
    const path = resolve(ctx.cwd, args.image);
    const [{ verifyFile }, { coverageSentences, resultJson, signatureText, verificationError }] =
      await Promise.all([import('./verification.js'), import('#libs/signing')]);
    log.info(
      flags.key === undefined
        ? 'Verifying image with PGP key material'
        : `Verifying image with key material from '${flags.key}'`,
    );
    const result = await verifyFile(ctx, {
      path,
      local: flags.local,
      url: flags.url,
      publicKey: flags.key === undefined ? undefined : await readFile(resolve(ctx.cwd, flags.key), 'utf8'),
      all: flags.all,
      legacy: flags['legacy-insecure'],
      outside: true,
      ...(flags['group-id'] === undefined ? {} : { groups: [positive('--group-id', flags['group-id'])] }),
      ...(flags['sif-id'] === undefined ? {} : { objects: [positive('--sif-id', flags['sif-id'])] }),
    });
    if (flags.json) out.text(resultJson(result));
    else for (const report of result.signatures) out.text(`${signatureText(report)}\n`);
    for (const { state, text } of coverageSentences(result)) {
      // Asking for a part of the image is no reason for a warning about the rest that others did sign.
      if (state === 'not_checked') log.info(text);
      else log.warning(text);
    }
    warnAll(log, result.outside);
    const failure = verificationError(result);
    if (failure !== undefined) throw failure;
    log.info(`Verified signature(s) from image '${args.image}'`);
  },
});

function positive(flag: string, value: number): number {
  if (value > 0) return value;
  throw new UsageError('verify', expected('a number above 0', flag, value));
}

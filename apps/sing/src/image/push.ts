import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { defineCommand, formatSize, jsonFlag, type Surroundings, UsageError } from '#libs/cli';
import { DomainError, parsePushReference } from '#libs/core';
import type { PushResult } from '#libs/client';
import type { VerifyResult } from '#libs/signing';
import { uploadsFolder } from '../cache/store.js';
import { registryAccess, registryFlags } from '../registry/flags.js';
import type { Session } from '../session.js';
import { imageArchitecture } from './architecture.js';
import { libraryFlags, withLibrary } from './library.js';
import { shareSignerKeys } from './signer-keys.js';
import { PhaseBars, tellingRetries, tellKept } from './transfers.js';
import { refusePush, schemeOf } from './transport.js';

export const push = defineCommand({
  name: 'push',
  summary: 'send an image to a library or registry',
  description:
    'For a library the image must be signed and verify, unless --allow-unsigned says otherwise; it says whether others find the keys of the signers, and offers to push those that they do not. A registry (oras://) takes it as it is. ' +
    'Nothing is sent that is there. After a failure, or when it is killed, a push to a library goes on where it was.',
  positionals: [
    { name: 'file', summary: 'SIF file' },
    {
      name: 'image',
      summary: 'library://entity/collection/container:tag, several tags with commas; or oras://host/name:tag',
    },
  ],
  flags: {
    'allow-unsigned': {
      type: 'boolean',
      short: 'U',
      env: ['ALLOW_UNSIGNED'],
      summary: 'send it though it does not verify',
    },
    'with-key': {
      type: 'boolean',
      summary: 'also push the public keys of the signers, from your key ring, where the keystore lacks them',
    },
    description: { type: 'string', short: 'D', value: 'TEXT', summary: 'what the image is' },
    ...libraryFlags,
    ...registryFlags,
    ...jsonFlag,
  },
  examples: [
    { line: 'sing push hello.sif library://admin/demo/hello:1,latest', summary: 'with two tags' },
    {
      line: 'sing push --with-key hello.sif library://admin/demo/hello:1',
      summary: 'so that everybody can verify it',
    },
    { line: 'sing push -U hello.sif library://admin/demo/hello:test', summary: 'without a signature' },
    { line: 'sing push hello.sif oras://ghcr.io/ann/hello:1', summary: 'to a registry' },
  ],
  async run(ctx) {
    const { flags, args, log, out, progress, signal } = ctx;
    const scheme = schemeOf(args.image);
    if (scheme !== 'library' && scheme !== 'oras') throw refusePush(args.image);
    if (scheme === 'oras') {
      const { pushToRegistry } = await import('./push-oras.js');
      if (flags['with-key'])
        throw new UsageError(
          'push',
          '--with-key is for pushes to a library: with a registry comes no keystore',
        );
      const { description } = flags;
      return pushToRegistry(ctx, {
        file: args.file,
        path: resolve(ctx.cwd, args.file),
        reference: args.image,
        description,
        access: registryAccess(flags),
        json: flags.json,
      });
    }
    const { host, ...target } = parsePushReference(args.image);
    const path = resolve(ctx.cwd, args.file);
    const arch = await imageArchitecture(path);
    if (flags['allow-unsigned'] && flags['with-key'])
      throw new UsageError(
        'push',
        '--with-key is for images that are signed; use either that or --allow-unsigned',
      );
    if (flags['allow-unsigned']) log.warning('Skipping container verification');
    const signatures = flags['allow-unsigned'] ? undefined : await requireSignatures(ctx, path);
    await withLibrary(
      ctx,
      { library: flags.library, host, noHttps: flags['no-https'] },
      async (library, session) => {
        session.requireToken();
        const signers =
          signatures && (await shareSignerKeys(ctx, session, signatures, { withKey: flags['with-key'] }));
        const { pushImage } = await import('#libs/client');
        const { size } = await stat(path);
        const bars = new PhaseBars(progress, {
          hashing: 'Reading',
          sending: 'Uploading',
          storing: 'The library checks',
        });
        let result: PushResult;
        try {
          result = await pushImage(library, {
            ...target,
            file: path,
            arch,
            signal,
            memory: () => uploadsFolder(ctx),
            onProgress: bars.update,
            onRetry: tellingRetries(log),
            onAnew: (error) => log.warning(`${error.message}; sending everything again`),
            onKept: (bytes) => tellKept(log, bytes, size, 'are at the library'),
            ...(flags.description === undefined ? {} : { description: flags.description }),
          });
        } finally {
          bars.stop();
        }
        report(ctx, session, result, flags.json);
        log.info(`Pushed ${args.file} to ${args.image}`);
        if (flags.json) {
          const image = described(session, { file: path, arch, ...target }, result);
          out.json({ images: [{ ...image, verified: signers !== undefined, signers: signers ?? [] }] });
        }
      },
    );
  },
});

/** @throws DomainError unless every signature is good */
async function requireSignatures(place: Surroundings, path: string): Promise<VerifyResult['signatures']> {
  const { verifyFile } = await import('./verification.js');
  const result = await verifyFile(place, { path, local: false });
  if (result.ok) return result.signatures;
  throw new DomainError(
    'forbidden',
    `Unable to upload container: unable to verify signature: ${result.failure?.message ?? 'no good signature'}`,
    {
      reason: 'unverified_image',
      remedy: `${result.failure?.remedy ?? `Sign it: sing sign ${path}`}\nSend it all the same: sing push --allow-unsigned …`,
    },
  );
}

/** The two lines of the stock programs stand on standard output, as theirs do; not before the one object of `--json`. */
function report(
  { log, out }: Surroundings,
  session: Session,
  { completion, uploaded }: PushResult,
  json: boolean,
): void {
  const say = (line: string) => (json ? log.info(line) : out.line(line));
  if (!uploaded) log.info('The library had this file already; only the tags were set.');
  if (completion === undefined) return;
  const { quotaTotal, quotaUsage } = completion.quota;
  const total = quotaTotal === 0 ? 'unlimited' : formatSize(quotaTotal);
  say(`Library storage: using ${formatSize(quotaUsage)} out of ${total} quota`);
  const url = addressOf(session, completion.containerUrl);
  if (url !== undefined) say(`Container URL: ${url}`);
}

function addressOf(session: Session, containerUrl: string | undefined): string | undefined {
  if (containerUrl === undefined || containerUrl === '') return undefined;
  return `${session.remote.frontend}/${containerUrl.replace(/^\//, '')}`;
}

interface Pushed {
  readonly file: string;
  readonly arch: string;
  readonly entity: string;
  readonly collection: string;
  readonly container: string;
  readonly tags: readonly string[];
}

function described(session: Session, pushed: Pushed, { digest, size, uploaded, completion }: PushResult) {
  const { file, arch, entity, collection, container, tags } = pushed;
  const url = addressOf(session, completion?.containerUrl);
  return {
    reference: `library://${entity}/${collection}/${container}:${tags.join(',')}`,
    path: file,
    hash: digest,
    size,
    arch,
    tags,
    uploaded,
    ...(url === undefined ? {} : { url }),
  };
}

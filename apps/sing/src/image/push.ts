import { resolve } from 'node:path';
import { defineCommand, formatSize, type Bar, type Surroundings } from '#libs/cli';
import { DomainError, expected, parsePushReference } from '#libs/core';
import type { PushProgress, PushResult } from '#libs/client';
import type { Session } from '../session.js';
import { libraryFlags, withLibrary } from './library.js';

export const push = defineCommand({
  name: 'push',
  summary: 'send an image to the library',
  description: 'The image must be signed and verify, unless --allow-unsigned says otherwise.',
  positionals: [
    { name: 'file', summary: 'SIF file' },
    { name: 'image', summary: 'library://entity/collection/container:tag; several tags with commas' },
  ],
  flags: {
    'allow-unsigned': {
      type: 'boolean',
      short: 'U',
      env: ['ALLOW_UNSIGNED'],
      summary: 'send it though it does not verify',
    },
    description: { type: 'string', short: 'D', value: 'TEXT', summary: 'what the image is' },
    library: libraryFlags.library,
  },
  examples: [
    { line: 'sing push hello.sif library://admin/demo/hello:1,latest', summary: 'with two tags' },
    { line: 'sing push -U hello.sif library://admin/demo/hello:test', summary: 'without a signature' },
  ],
  async run(ctx) {
    const { flags, args, log, progress, signal } = ctx;
    if (!args.image.startsWith('library://')) {
      throw new DomainError('not_implemented', expected('library://…', 'the image', args.image), {
        reason: 'unsupported_transport',
        remedy: 'Other places are not offered yet',
      });
    }
    const { host, ...target } = parsePushReference(args.image);
    const path = resolve(ctx.cwd, args.file);
    const arch = await architectureOf(path);
    if (!flags['allow-unsigned']) await requireSignature(ctx, path);
    await withLibrary(ctx, { library: flags.library, host, noHttps: false }, async (library, session) => {
      session.requireToken();
      const { pushImage } = await import('#libs/client');
      // One bar while the file is read, another one while it is sent.
      let bar: Bar | undefined;
      let phase: PushProgress['phase'] | undefined;
      let result: PushResult;
      try {
        result = await pushImage(library, {
          ...target,
          file: path,
          arch,
          signal,
          onProgress: (now) => {
            if (now.phase !== phase) {
              bar?.stop();
              bar = progress.bytes(now.phase === 'hashing' ? 'Reading' : 'Uploading', now.total);
              phase = now.phase;
            }
            bar?.update(now.done);
          },
          onRetry: (error) => log.verbose(`${error.message}; trying again`),
          ...(flags.description === undefined ? {} : { description: flags.description }),
        });
      } finally {
        bar?.stop();
      }
      report(ctx, session, result);
      log.info(`Pushed ${args.file} to ${args.image}`);
    });
  },
});

/** "The arch is read from the SIF primary partition; unknown aborts" (library contract §6.1). */
async function architectureOf(path: string): Promise<string> {
  const { readSif, rootPartition, withSifFile } = await import('#libs/sif');
  const architecture = await withSifFile(
    path,
    async (access) => rootPartition(await readSif(access)).architecture,
  );
  if (architecture !== 'unknown') return architecture;
  throw new DomainError('unprocessable', 'The image does not say which architecture it is for', {
    reason: 'unknown_architecture',
  });
}

async function requireSignature(place: Surroundings, path: string): Promise<void> {
  const { verifyFile } = await import('./verification.js');
  const result = await verifyFile(place, { path, local: false });
  if (result.ok) return;
  throw new DomainError(
    'forbidden',
    `Unable to upload container: unable to verify signature: ${result.failure?.message ?? 'no good signature'}`,
    {
      reason: 'unverified_image',
      remedy: `${result.failure?.remedy ?? `Sign it: sing sign ${path}`}\nSend it all the same: sing push --allow-unsigned …`,
    },
  );
}

function report({ log }: Surroundings, session: Session, { completion, uploaded }: PushResult): void {
  if (!uploaded) log.info('The library had this file already; only the tags were set.');
  if (completion === undefined) return;
  const { quotaTotal, quotaUsage } = completion.quota;
  const total = quotaTotal === 0 ? 'unlimited' : formatSize(quotaTotal);
  log.info(`Library storage: using ${formatSize(quotaUsage)} out of ${total} quota`);
  if (completion.containerUrl !== '') {
    log.info(`Container URL: ${session.remote.frontend}/${completion.containerUrl.replace(/^\//, '')}`);
  }
}

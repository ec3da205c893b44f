import { join, resolve } from 'node:path';
import { defineCommand, jsonFlag, printable, UsageError, type Surroundings } from '#libs/cli';
import { DomainError, expected, messageOf, parseLibraryReference, refuseExisting } from '#libs/core';
import { archFlag, libraryFlags } from './library.js';

export const pull = defineCommand({
  name: 'pull',
  summary: 'fetch an image from the library into a file',
  description:
    'The content is always checked against its hash. After a failure, or when it is killed, the same command goes on where it was. Signatures are checked and reported; an image without a good one is still fetched.',
  positionals: [
    { name: 'file', summary: 'where to; name_tag.sif when absent', optional: true },
    { name: 'image', summary: 'library://entity/collection/container:tag' },
  ],
  flags: {
    ...archFlag,
    ...libraryFlags,
    dir: { type: 'string', value: 'FOLDER', env: ['PULLDIR', 'PULLFOLDER'], summary: 'folder for the file' },
    force: { type: 'boolean', short: 'F', env: ['FORCE'], summary: 'replace an existing file' },
    ...jsonFlag,
    'disable-cache': { type: 'boolean', env: ['DISABLE_CACHE'], summary: 'neither use nor fill the cache' },
    name: { type: 'string', value: 'NAME', hidden: true, summary: 'name of the file' },
    'allow-unsigned': { type: 'boolean', short: 'U', hidden: true, summary: 'always so' },
  },
  examples: [
    { line: 'sing pull library://admin/demo/hello:1', summary: 'into hello_1.sif' },
    { line: 'sing pull hello.sif library://admin/demo/hello', summary: 'into a file of your choice' },
  ],
  async run(ctx) {
    const { flags, args } = ctx;
    if (!args.image.startsWith('library://')) {
      throw new DomainError('not_implemented', expected('library://…', 'the image', args.image), {
        reason: 'unsupported_transport',
        remedy: 'Other places are not offered yet',
      });
    }
    const reference = parseLibraryReference(args.image);
    if (args.file !== undefined && flags.name !== undefined)
      throw new UsageError('pull', 'the file is named twice');
    const name =
      args.file ?? flags.name ?? `${reference.names.at(-1) ?? 'image'}_${reference.tags[0] ?? 'latest'}.sif`;
    const path = resolve(ctx.cwd, flags.dir === undefined ? name : join(flags.dir, name));
    await refuseExisting(path, { overwrite: flags.force }).catch(async (error: unknown) => {
      const { removePlaced } = await import('#libs/client');
      await removePlaced(path);
      throw error;
    });
    const { fetchToFile } = await import('./fetch.js');
    const fetched = await fetchToFile(
      ctx,
      {
        reference: args.image,
        library: flags.library,
        arch: flags.arch,
        noHttps: flags['no-https'],
        useCache: !flags['disable-cache'],
      },
      { path, overwrite: flags.force },
    );
    ctx.log.info(`Pulled ${args.image} to ${path}`);
    const signers = await reportSignatures(ctx, path);
    if (flags.json) {
      const { digest: hash, size, arch, cached } = fetched;
      ctx.out.json({
        images: [{ reference: args.image, path, hash, size, arch: arch ?? null, cached, ...signers }],
      });
    }
  },
});

interface Signers {
  /** Whether every signature is good. */
  readonly verified: boolean;
  readonly signers: readonly { readonly fingerprint: string; readonly userId: string }[];
}

/** "Signatures are verified; failure is a warning only" (library contract §6.2). */
async function reportSignatures(place: Surroundings, path: string): Promise<Signers> {
  const { log, signal } = place;
  try {
    const { verifyFile } = await import('./verification.js');
    const result = await verifyFile(place, { path, local: false });
    if (result.ok) {
      const signers = result.signatures
        .map(({ signer }) => signer)
        .filter((signer) => signer !== undefined)
        .map(({ fingerprint, userId }) => ({ fingerprint, userId }));
      for (const { fingerprint, userId } of signers)
        log.info(`Signed by ${printable(userId)}, key ${fingerprint}`);
      return { verified: true, signers };
    }
    log.warning(
      `The image is not verified: ${result.failure?.message ?? 'no good signature'}`,
      result.failure?.remedy,
    );
  } catch (error) {
    signal.throwIfAborted();
    log.warning(`The image is not verified: ${messageOf(error)}`);
  }
  return { verified: false, signers: [] };
}

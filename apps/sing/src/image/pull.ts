import { dirname, join, resolve } from 'node:path';
import { defineCommand, jsonFlag, printable, UsageError, type Surroundings } from '#libs/cli';
import { messageOf, refuseExisting } from '#libs/core';
import { requireFolder } from '../folders.js';
import { registryAccess, registryFlags } from '../registry/flags.js';
import type { Fetched } from './found-image.js';
import { archFlag, libraryFlags } from './library.js';
import { fileNameOf, shownReference } from './file-name.js';
import { orLibrary } from './transport.js';

export const pull = defineCommand({
  name: 'pull',
  summary: 'fetch an image into a file',
  description:
    'The image comes from a library, as a SIF file from a registry (oras://), or from an address (https://). The content is always checked against its hash, where there is one. After a failure, or when it is killed, the same command goes on where it was. Signatures are checked and reported; an image without a good one is still fetched.',
  positionals: [
    { name: 'file', summary: 'where to; name_tag.sif when absent', optional: true },
    {
      name: 'image',
      summary: 'library://entity/collection/container:tag, oras://host/name:tag or https://…',
    },
  ],
  flags: {
    ...archFlag,
    ...libraryFlags,
    ...registryFlags,
    dir: { type: 'string', value: 'FOLDER', env: ['PULLDIR', 'PULLFOLDER'], summary: 'folder for the file' },
    force: { type: 'boolean', short: 'F', env: ['FORCE'], summary: 'replace an existing file' },
    ...jsonFlag,
    'disable-cache': { type: 'boolean', env: ['DISABLE_CACHE'], summary: 'neither use nor fill the cache' },
    name: { type: 'string', value: 'NAME', hidden: true, summary: 'name of the file' },
    'allow-unsigned': { type: 'boolean', short: 'U', hidden: true, summary: 'always so' },
    'no-oci': { type: 'boolean', hidden: true, summary: 'always so' },
  },
  examples: [
    { line: 'sing pull library://admin/demo/hello:1', summary: 'into hello_1.sif' },
    { line: 'sing pull hello.sif library://admin/demo/hello', summary: 'into a file of your choice' },
    { line: 'sing pull oras://ghcr.io/ann/hello:1', summary: 'a SIF file in a registry' },
    { line: 'sing pull https://example.org/images/hello.sif', summary: 'a SIF file on a web server' },
  ],
  async run(ctx) {
    const { flags, args } = ctx;
    const reference = orLibrary(args.image);
    const usual = await fileNameOf(reference);
    if (args.file !== undefined && flags.name !== undefined)
      throw new UsageError('pull', 'the file is named twice');
    const name = args.file ?? flags.name ?? usual;
    const path = resolve(ctx.cwd, flags.dir === undefined ? name : join(flags.dir, name));
    await requireFolder(dirname(path));
    await refuseExisting(path, { overwrite: flags.force }).catch(async (error: unknown) => {
      const { removePlaced } = await import('#libs/client');
      await removePlaced(path);
      throw error;
    });
    const { fetchToFile } = await import('./fetch.js');
    const fetched = await fetchToFile(
      ctx,
      {
        reference,
        library: flags.library,
        arch: flags.arch,
        useCache: !flags['disable-cache'],
        access: registryAccess(flags),
      },
      { path, overwrite: flags.force },
    );
    ctx.log.info(`Pulled ${shownReference(reference)} to ${path}`);
    const arch = await architectureIn(path, fetched);
    if (flags.arch !== undefined && arch !== undefined && arch !== flags.arch)
      ctx.log.warning(`The image is for ${arch}, and not for ${flags.arch}`);
    const signers = await reportSignatures(ctx, path);
    if (flags.json) {
      const { digest: hash, size, cached } = fetched;
      ctx.out.json({
        images: [{ reference, path, hash, size, arch: arch ?? null, cached, ...signers }],
      });
    }
  },
});

/** What the place says that it comes from, or the image itself; undefined when neither does. */
async function architectureIn(path: string, { arch }: Fetched): Promise<string | undefined> {
  if (arch !== undefined) return arch;
  try {
    const { readSif, rootPartition, withSifFile } = await import('#libs/sif');
    const found = await withSifFile(
      path,
      async (access) => rootPartition(await readSif(access)).architecture,
    );
    return found === 'unknown' ? undefined : found;
  } catch {
    // Not every image has a part that says so.
    return undefined;
  }
}

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

import { defineCommand, jsonFlag, type Messages, printable, UsageError } from '#libs/cli';
import { expected } from '#libs/core';
import type { LibraryImage } from '#libs/contract';
import { goArchitecture } from '../session.js';
import { archFlag, libraryFlags, withLibrary } from './library.js';

/** "Local check: at least 3 bytes" (library contract §6.4). */
const SHORTEST = 3;

export const search = defineCommand({
  name: 'search',
  summary: 'find images in the library by a part of their name',
  description: 'Who signed is what the signatures say of themselves: sing verify checks it.',
  positionals: [{ name: 'text', summary: 'three characters or more' }],
  flags: {
    ...archFlag,
    signed: { type: 'boolean', env: ['SEARCH_SIGNED'], summary: 'only images that are signed' },
    ...libraryFlags,
    ...jsonFlag,
  },
  examples: [
    { line: 'sing search hello', summary: 'everything with hello in its name' },
    { line: 'sing search --arch arm64 --signed hello', summary: 'for another machine, and signed' },
  ],
  async run(ctx) {
    const { flags, args, out, log, signal } = ctx;
    if (Buffer.byteLength(args.text) < SHORTEST) {
      throw new UsageError('search', expected(`${SHORTEST} characters or more`, 'the text', args.text));
    }
    const arch = flags.arch ?? goArchitecture();
    const choice = { library: flags.library, host: undefined, noHttps: flags['no-https'] };
    const { image, more } = await withLibrary(ctx, choice, (library) =>
      library.search(args.text, { arch, ...(flags.signed ? { signed: true } : {}) }, { signal }),
    );
    const images = [...image].sort((a, b) => (titleOf(a) < titleOf(b) ? -1 : 1));
    if (flags.json) {
      out.json({
        images: images.map((each) => ({
          reference: titleOf(each),
          hash: each.hash,
          size: each.size,
          arch: each.arch,
          tags: each.tags,
          signed: each.signed,
          encrypted: each.encrypted,
          fingerprints: each.fingerprints,
          description: each.description,
        })),
        more,
      });
      return;
    }
    if (images.length === 0) {
      log.info(`No image for ${arch} has ${args.text} in its name.`);
      tellMore(log, more);
      return;
    }
    out.line(`Found ${images.length} container images for ${arch} matching "${printable(args.text)}":`);
    for (const each of images) {
      out.line();
      out.line(`    ${printable(titleOf(each))}`);
      if (each.description !== '' && !/^no description$/i.test(each.description)) {
        out.line(`        ${printable(each.description)}`);
      }
      if (each.fingerprints.length > 0)
        out.line(`        Signed by: ${each.fingerprints.map(printable).join(', ')}`);
      if (each.encrypted) out.line('        Encrypted');
    }
    tellMore(log, more);
  },
});

/** The library does not say how many more, and has no second page. */
function tellMore(log: Messages, more: boolean): void {
  if (more) log.warning('The library has more than it tells', 'Ask with a longer part of the name');
}

/** "`library://entityName/collectionName/containerName:tags` joined by comma (hash if no tags)" (library contract §6.4). */
function titleOf({ entityName, collectionName, containerName, tags, hash }: LibraryImage): string {
  const names = [entityName, collectionName, containerName].join('/');
  return `library://${names}:${tags.length === 0 ? hash : [...tags].sort((a, b) => (a < b ? -1 : 1)).join(',')}`;
}

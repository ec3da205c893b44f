import { defineCommand, jsonFlag, type Messages, printable, UsageError } from '#libs/cli';
import type { LibraryClient, SearchFilters } from '#libs/client';
import { DomainError, expected } from '#libs/core';
import type { LibraryImage } from '#libs/contract';
import { goArchitecture } from '../session.js';
import { archFlag, libraryFlags, withLibrary } from './library.js';

/** "Local check: at least 3 bytes" (library contract §6.4). */
const SHORTEST = 3;
/** Pages without an image that are asked for before it is said that there may be more. */
const EMPTY_PAGES = 10;

export const search = defineCommand({
  name: 'search',
  summary: 'find images in the library by their name, by what is said of them, or by who signed them',
  description:
    'Finds parts of names, beginnings of words of descriptions, READMEs and labels, and beginnings of hashes; of several words all. Who signed is what the signatures say of themselves, or with --signer what the library has verified: sing verify checks it here.',
  positionals: [
    { name: 'text', summary: 'three characters or more; optional with --signer', optional: true },
  ],
  flags: {
    ...archFlag,
    signed: { type: 'boolean', env: ['SEARCH_SIGNED'], summary: 'only images that are signed' },
    signer: {
      type: 'string',
      value: 'KEY',
      summary: 'only images that this key has signed: fingerprint, key id, or its last digits',
    },
    entity: { type: 'string', value: 'NAME', summary: 'only what lies in this entity' },
    private: { type: 'boolean', summary: 'only what is private' },
    all: { type: 'boolean', summary: 'all pages, and not the first one alone' },
    ...libraryFlags,
    ...jsonFlag,
  },
  examples: [
    { line: 'sing search hello', summary: 'everything with hello in its name, or in what is said of it' },
    { line: 'sing search --arch arm64 --signed hello', summary: 'for another machine, and signed' },
    { line: 'sing search --signer 0123456789ABCDEF', summary: 'everything that this key has signed' },
  ],
  async run(ctx) {
    const { flags, args, out, log, signal } = ctx;
    const { text = '', signer } = { ...args, signer: flags.signer };
    if (Buffer.byteLength(text) < SHORTEST && (text !== '' || signer === undefined)) {
      const message = expected(`${SHORTEST} characters or more`, 'the text', text);
      if (text === '') throw new UsageError('search', message);
      throw new DomainError('bad_request', message, { reason: 'text_too_short' });
    }
    const arch = flags.arch ?? goArchitecture();
    const choice = { library: flags.library, host: undefined, noHttps: flags['no-https'] };
    const filters = {
      arch,
      signer,
      entity: flags.entity,
      ...(flags.signed ? { signed: true } : {}),
      ...(flags.private ? { private: true } : {}),
    };
    const { images: found, more } = await withLibrary(ctx, choice, (library) =>
      pages(library, text, { filters, all: flags.all, signal }),
    );
    // In the order in which the stock program shows them.
    const images = found.toSorted((a, b) => (titleOf(a) < titleOf(b) ? -1 : 1));
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
    const what = text === '' ? `signed by ${printable(signer ?? '')}` : `matching "${printable(text)}"`;
    if (images.length === 0) {
      out.line(`No container images found for ${arch} ${what}.`);
      tellMore(log, more);
      return;
    }
    out.line(`Found ${images.length} container images for ${arch} ${what}:`);
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

/** The first page with something in it; or all of them. */
async function pages(
  library: LibraryClient,
  text: string,
  { filters, all, signal }: { filters: SearchFilters; all: boolean; signal: AbortSignal },
): Promise<{ images: readonly LibraryImage[]; more: boolean }> {
  const images = new Map<string, LibraryImage>();
  let cursor: string | undefined;
  for (let asked = 1; ; asked += 1) {
    const { image, more, next } = await library.search(text, { ...filters, cursor }, { signal });
    for (const one of image) images.set(one.id, one);
    const isEnough = !all && (images.size > 0 || asked >= EMPTY_PAGES);
    if (next === undefined || isEnough) return { images: [...images.values()], more };
    cursor = next;
  }
}

function tellMore(log: Messages, more: boolean): void {
  if (more) log.warning('The library has more than it tells', 'Ask more narrowly, or for all pages: --all');
}

/** "`library://entityName/collectionName/containerName:tags` joined by comma (hash if no tags)" (library contract §6.4). */
function titleOf({ entityName, collectionName, containerName, tags, hash }: LibraryImage): string {
  const names = [entityName, collectionName, containerName].join('/');
  return `library://${names}:${tags.length === 0 ? hash : [...tags].sort((a, b) => (a < b ? -1 : 1)).join(',')}`;
}

import { formatSize, type Surroundings } from '#libs/cli';
import type { ManagedImage } from '#libs/client';
import type { ImageDetails, LibraryImage, SignaturesAnswer } from '#libs/contract';
import { DomainError, isDigest } from '#libs/core';
import { goArchitecture } from '../session.js';
import { fields } from './fields.js';
import { parseImage, withLibraryHttp } from './path.js';

interface Flags {
  readonly arch: string | undefined;
  readonly definition: boolean;
  readonly json: boolean;
}

type Signatures = SignaturesAnswer['data'];

/** Shows an image by tag or hash. @throws DomainError `not_found` also where it has no definition and that alone is asked for */
export async function showImage(place: Surroundings, text: string, flags: Flags): Promise<void> {
  const { path, ref } = parseImage(text);
  // A hash is an image; a tag is one of each architecture.
  const arch = flags.arch ?? (isDigest(ref) ? undefined : goArchitecture());
  const asked: ManagedImage = { path, ref, arch };
  const { signal } = place;
  await withLibraryHttp(place, { token: false }, async (http) => {
    const { LibraryClient, LibraryViewsClient } = await import('#libs/client');
    const views = new LibraryViewsClient(http, { signal });
    if (flags.definition) {
      showDefinition(place, text, (await views.details(asked)).definition);
      return;
    }
    const image = await new LibraryClient(http).image({ path: path.join('/'), tag: ref, arch }, { signal });
    const [signatures, details] = await Promise.all([
      views.signatures(asked),
      detailsOf(place, views, asked),
    ]);
    if (flags.json) place.out.json({ images: [{ ...image, ...signatures, ...details }] });
    else show(place, image, signatures, details);
  });
}

/** null where the image may be seen and not be pulled. */
async function detailsOf(
  { log }: Surroundings,
  views: { details(image: ManagedImage): Promise<ImageDetails> },
  asked: ManagedImage,
): Promise<ImageDetails | null> {
  try {
    return await views.details(asked);
  } catch (error) {
    if (!(error instanceof DomainError) || error.code !== 'forbidden') throw error;
    log.warning(`Its labels and its definition are not shown: ${error.message}`);
    return null;
  }
}

function showDefinition({ out }: Surroundings, text: string, definition: string | null): void {
  if (definition === null)
    throw new DomainError('not_found', `${text} has no definition in it`, {
      reason: 'no_definition',
      remedy: 'It was not built from one, or by a program that keeps none.',
    });
  out.foreign(definition.trimEnd());
}

function show(
  { out }: Surroundings,
  image: LibraryImage,
  signatures: Signatures,
  details: ImageDetails | null,
): void {
  const { entityName, collectionName, containerName, hash, size, arch, tags, encrypted } = image;
  fields(out, [
    ['Image', `library://${entityName}/${collectionName}/${containerName}:${hash}`],
    ['Tags', tags.join(', ')],
    ['Architecture', arch],
    ['Size', formatSize(size)],
    ['Encrypted', encrypted ? 'yes' : 'no'],
    [
      'Pushed',
      [image.createdAt.slice(0, 10), ...(image.createdBy === '' ? [] : [`by ${image.createdBy}`])].join(' '),
    ],
    ['Signed by', signersOf(signatures)],
  ]);
  if (signatures.signatures.length > 0) {
    out.line();
    out.table(
      ['SIGNATURE', 'GROUP', 'STATE', 'MADE', 'KEY'],
      signatures.signatures.map(({ id, group, state, signedAt, fingerprint }) => [
        String(id),
        group === null ? '-' : String(group),
        state,
        signedAt?.slice(0, 10) ?? '-',
        fingerprint?.toUpperCase() ?? '-',
      ]),
    );
  }
  if (details === null) return;
  if (details.labels.length > 0) {
    out.line();
    out.table(
      ['LABEL', 'VALUE'],
      details.labels.map(({ name, value }) => [name, value]),
    );
  }
  part('Help', details.help);
  part('Definition', details.definition);

  function part(title: string, text: string | null): void {
    if (text === null) return;
    out.line();
    out.line(`${title}:`);
    out.foreign(text.trimEnd());
  }
}

function signersOf({ signed, signers, checkedAt, due }: Signatures): string {
  if (!signed) return 'nobody';
  if (checkedAt === null) return 'not checked yet: the keystore has not answered';
  const who = signers.length === 0 ? 'nobody whose signature is good' : signers.join(', ').toUpperCase();
  return due ? `${who} (being checked again)` : who;
}

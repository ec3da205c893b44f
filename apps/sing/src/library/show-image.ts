import { formatSize, type Surroundings } from '#libs/cli';
import type { HttpClient, ManagedImage, ManagedPath } from '#libs/client';
import type { ImageDetails, LibraryImage, ListedImage, SignaturesAnswer } from '#libs/contract';
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
type ImageRecord = LibraryImage | ListedImage;

/** Shows an image by tag or hash. @throws DomainError `not_found` also where it has no definition and that alone is asked for */
export async function showImage(place: Surroundings, text: string, flags: Flags): Promise<void> {
  const { path, ref } = parseImage(text);
  // A hash is an image; a tag is one of each architecture.
  const arch = flags.arch ?? (isDigest(ref) ? undefined : goArchitecture());
  const asked: ManagedImage = { path, ref, arch };
  const { signal } = place;
  await withLibraryHttp(place, { token: false }, async (http) => {
    const { LibraryViewsClient } = await import('#libs/client');
    const views = new LibraryViewsClient(http, { signal });
    const details = await views.details(asked).catch((error: unknown) => {
      throw withArchitecture(error, asked);
    });
    if (flags.definition) {
      showDefinition(place, text, details.definition);
      return;
    }
    const signatures = await views.signatures(asked);
    const image = await recordOf(place, http, asked, signatures.hash);
    if (flags.json) place.out.json({ images: [{ ...image, ...signatures, ...details }] });
    else show(place, path, image, signatures, details);
  });
}

/** What the library says of an image. Where the rule of its entity lets nobody pull it, that has to be seen all the same. */
async function recordOf(
  { log, signal }: Surroundings,
  http: HttpClient,
  { path, ref, arch }: ManagedImage,
  hash: string,
): Promise<ImageRecord> {
  const { LibraryClient, LibraryManageClient } = await import('#libs/client');
  try {
    return await new LibraryClient(http).image({ path: path.join('/'), tag: ref, arch }, { signal });
  } catch (error) {
    if (!(error instanceof DomainError) || error.code !== 'forbidden') throw error;
    const images = await new LibraryManageClient(http, { signal }).images(path);
    const found = images.find((image) => image.hash === hash);
    if (found === undefined) throw error;
    log.warning(error.message);
    return found;
  }
}

/** A tag is one of each architecture: what is not there for one may be there for another. */
function withArchitecture(error: unknown, { path, arch }: ManagedImage): unknown {
  if (!(error instanceof DomainError) || error.code !== 'not_found' || arch === undefined) return error;
  return new DomainError('not_found', `${error.message} for ${arch}`, {
    ...(error.reason === undefined ? {} : { reason: error.reason }),
    remedy: `What there is: sing library list ${path.join('/')}`,
    cause: error,
  });
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
  path: ManagedPath,
  image: ImageRecord,
  signatures: Signatures,
  details: ImageDetails,
): void {
  const { hash, size, arch, tags, encrypted, description } = image;
  fields(out, [
    ['Image', `library://${path.join('/')}:${hash}`],
    ['Description', description],
    ['Tags', tags.join(', ')],
    ['Architecture', arch ?? ''],
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

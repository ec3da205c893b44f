import type { Surroundings } from '#libs/cli';
import type { LibraryClient } from '#libs/client';
import type { LibraryImage } from '#libs/contract';
import {
  DomainError,
  expected,
  parseDigest,
  parseLibraryReference,
  type Digest,
  type LibraryReference,
} from '#libs/core';
import { goArchitecture } from '../session.js';
import type { FetchRequest, FoundImage } from './found-image.js';
import { withLibrary } from './library.js';
import { receiving, type Target } from './transfers.js';

/** Looks an image up in the library. */
export async function withLibraryImage<T>(
  place: Surroundings,
  { reference, library, arch, access }: FetchRequest,
  work: (image: FoundImage) => Promise<T>,
): Promise<T> {
  const parsed = parseLibraryReference(reference);
  const choice = { library, host: parsed.host, noHttps: access.noHttps };
  return withLibrary(place, choice, async (client) => {
    const path = parsed.names.join('/');
    const wanted = { path, tag: firstTag(parsed), arch: arch ?? goArchitecture() };
    const image = await client.image(wanted, { signal: place.signal });
    return work({
      type: 'library',
      digest: parseDigest(image.hash),
      size: image.size,
      arch: image.arch,
      download: (target) => download(place, client, { image, path }, target),
    });
  });
}

/** Fetches the result of a remote build, whose digest the builder told. */
export async function fetchBuilt(
  place: Surroundings,
  library: LibraryClient,
  built: { reference: string; arch: string; digest: Digest | undefined; path: string },
): Promise<void> {
  const reference = parseLibraryReference(built.reference);
  const path = reference.names.join('/');
  const image = await library.image(
    { path, tag: firstTag(reference), arch: built.arch },
    { signal: place.signal },
  );
  if (built.digest !== undefined && image.hash !== built.digest) {
    throw new DomainError('conflict', expected(built.digest, 'the hash of the built image', image.hash), {
      reason: 'wrong_digest',
      remedy: 'Somebody may have moved the tag meanwhile: pull the image by its hash',
    });
  }
  await download(place, library, { image, path }, { path: built.path, overwrite: true });
}

function firstTag({ tags }: LibraryReference): string {
  return tags[0] ?? 'latest';
}

async function download(
  place: Surroundings,
  library: LibraryClient,
  { image, path }: { readonly image: LibraryImage; readonly path: string },
  target: Target,
): Promise<void> {
  place.log.info(`Downloading ${path} (${image.hash.slice(0, 'sha256.'.length + 12)}…)`);
  const { pullImage } = await import('#libs/client');
  await receiving(place, image.size, target, (options) => pullImage(library, { ...options, image, path }));
}

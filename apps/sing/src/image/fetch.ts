import { chmod, constants, copyFile } from 'node:fs/promises';
import type { Surroundings } from '#libs/cli';
import type { LibraryClient } from '#libs/client';
import type { LibraryImage } from '#libs/contract';
import {
  DomainError,
  expected,
  parseDigest,
  parseLibraryReference,
  placeFile,
  type Digest,
  type LibraryReference,
} from '#libs/core';
import { cachedImage, cachePath, markCached } from '../cache/store.js';
import { goArchitecture } from '../session.js';
import { withLibrary } from './library.js';

export interface FetchRequest {
  /** `library://…` */
  readonly reference: string;
  readonly library: string | undefined;
  readonly arch: string | undefined;
  readonly noHttps?: boolean;
  readonly useCache: boolean;
}

/** Fetches an image into the cache unless it is there; returns its path. Its hash was checked. */
export async function fetchToCache(place: Surroundings, request: FetchRequest): Promise<string> {
  return withImageOf(place, request, async (library, image, path) => {
    const digest = parseDigest(image.hash);
    // The bytes have to lie somewhere: without the cache they are fetched again, and replace what is there.
    const known = request.useCache ? await cachedImage(place, digest) : undefined;
    return known ?? toCache(place, library, image, path, digest);
  });
}

/** Fetches an image to a file that appears whole or not at all. Its hash was checked. */
export async function fetchToFile(
  place: Surroundings,
  request: FetchRequest,
  target: { readonly path: string; readonly overwrite: boolean },
): Promise<void> {
  await withImageOf(place, request, async (library, image, path) => {
    if (!request.useCache) {
      await transfer(place, library, image, path, target);
      await makeExecutable(target.path);
      return;
    }
    const digest = parseDigest(image.hash);
    const cached = (await cachedImage(place, digest)) ?? (await toCache(place, library, image, path, digest));
    await placeFile(target.path, { overwrite: target.overwrite, mode: 0o777 }, (_file, temporary) =>
      // Shares the blocks where the file system can.
      copyFile(cached, temporary, constants.COPYFILE_FICLONE),
    );
  });
}

/** As {@link fetchToFile} for the result of a remote build, whose digest the builder told. */
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
  await transfer(place, library, image, path, { path: built.path, overwrite: true });
  await makeExecutable(built.path);
}

async function withImageOf<T>(
  place: Surroundings,
  { reference, library, arch, noHttps = false }: FetchRequest,
  work: (library: LibraryClient, image: LibraryImage, path: string) => Promise<T>,
): Promise<T> {
  const parsed = parseLibraryReference(reference);
  return withLibrary(place, { library, host: parsed.host, noHttps }, async (client) => {
    const path = parsed.names.join('/');
    const wanted = { path, tag: firstTag(parsed), arch: arch ?? goArchitecture() };
    return work(client, await client.image(wanted, { signal: place.signal }), path);
  });
}

function firstTag({ tags }: LibraryReference): string {
  return tags[0] ?? 'latest';
}

async function toCache(
  place: Surroundings,
  library: LibraryClient,
  image: LibraryImage,
  path: string,
  digest: Digest,
): Promise<string> {
  const destination = await cachePath(place, digest);
  await transfer(place, library, image, path, { path: destination, overwrite: true });
  await makeExecutable(destination);
  await markCached(place, digest);
  return destination;
}

async function transfer(
  { log, progress, signal }: Surroundings,
  library: LibraryClient,
  image: LibraryImage,
  path: string,
  target: { readonly path: string; readonly overwrite: boolean },
): Promise<void> {
  log.info(`Downloading ${path} (${image.hash.slice(0, 'sha256.'.length + 12)}…)`);
  const { pullImage } = await import('#libs/client');
  const bar = progress.bytes('Downloading', image.size);
  try {
    await pullImage(library, {
      image,
      path,
      destination: target.path,
      overwrite: target.overwrite,
      signal,
      onProgress: (done, total) => bar.update(done, total),
      onRetry: (error) => log.verbose(`${error.message}; trying again`),
    });
  } finally {
    bar.stop();
  }
}

/** "result mode 0777 & ~umask" (runtime contract §1.6): images can be started by their name. */
async function makeExecutable(path: string): Promise<void> {
  await chmod(path, 0o777 & ~process.umask());
}

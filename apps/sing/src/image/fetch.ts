import type { Surroundings } from '#libs/cli';
import type { LibraryClient } from '#libs/client';
import type { LibraryImage } from '#libs/contract';
import {
  DomainError,
  expected,
  parseDigest,
  parseLibraryReference,
  systemCode,
  type Digest,
  type LibraryReference,
} from '#libs/core';
import { cachedImage, cachePath, markCached } from '../cache/store.js';
import { goArchitecture } from '../session.js';
import { withLibrary } from './library.js';
import { connectionsOf, PhaseBars, tellingRetries, tellKept } from './transfers.js';

export interface FetchRequest {
  /** `library://…` */
  readonly reference: string;
  readonly library: string | undefined;
  readonly arch: string | undefined;
  readonly noHttps?: boolean;
  readonly useCache: boolean;
}

export interface Fetched {
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
  readonly arch: string | undefined;
  /** Whether it was in the cache: nothing was transferred. */
  readonly cached: boolean;
}

interface Target {
  readonly path: string;
  readonly overwrite: boolean;
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
  target: Target,
): Promise<Fetched> {
  return withImageOf(place, request, async (library, image, path) => {
    const digest = parseDigest(image.hash);
    const fetched = { digest, size: image.size, arch: image.arch };
    if (request.useCache) {
      const known = await cachedImage(place, digest);
      const cached = known ?? (await toCache(place, library, image, path, digest));
      if (await copied(cached, { digest, size: image.size }, target))
        return { ...fetched, cached: known !== undefined };
      // Somebody has cleaned the cache at this very moment.
    }
    await transfer(place, library, image, path, target);
    return { ...fetched, cached: false };
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
  try {
    await transfer(place, library, image, path, { path: destination, overwrite: true });
  } catch (error) {
    if (!(error instanceof DomainError) || error.reason !== 'disk_full') throw error;
    throw new DomainError('out_of_space', error.message, {
      reason: error.reason,
      remedy:
        'Make room with sing cache clean, keep the cache on another disk (SING_CACHEDIR), or pull with --disable-cache',
      cause: error,
    });
  }
  await markCached(place, digest);
  return destination;
}

/** @returns whether the cached file was still there */
async function copied(
  source: string,
  { digest, size }: { digest: Digest; size: number },
  { path: destination, overwrite }: Target,
): Promise<boolean> {
  const { placeCopy } = await import('#libs/client');
  try {
    await placeCopy(source, { destination, digest, size }, { overwrite, mode: programMode() });
    return true;
  } catch (error) {
    if (systemCode(error) === 'ENOENT' && (error as NodeJS.ErrnoException).path === source) return false;
    throw error;
  }
}

async function transfer(
  place: Surroundings,
  library: LibraryClient,
  image: LibraryImage,
  path: string,
  target: Target,
): Promise<void> {
  const { log, progress, signal } = place;
  log.info(`Downloading ${path} (${image.hash.slice(0, 'sha256.'.length + 12)}…)`);
  const connections = connectionsOf(place);
  const { pullImage } = await import('#libs/client');
  const bars = new PhaseBars(progress, { receiving: 'Downloading', checking: 'Checking' });
  try {
    await pullImage(library, {
      image,
      path,
      destination: target.path,
      overwrite: target.overwrite,
      mode: programMode(),
      connections,
      signal,
      onProgress: bars.update,
      onRetry: tellingRetries(log),
      onKept: (bytes) => tellKept(log, bytes, image.size, 'are kept'),
    });
  } finally {
    bars.stop();
  }
}

/** "result mode 0777 & ~umask" (runtime contract §1.6): images can be started by their name. */
function programMode(): number {
  return 0o777 & ~process.umask();
}

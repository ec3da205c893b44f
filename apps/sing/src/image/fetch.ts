import type { Surroundings } from '#libs/cli';
import { DomainError, systemCode, type Digest } from '#libs/core';
import { cachedImage, cachePath, markCached, type ContentType } from '../cache/store.js';
import type { RegistryAccess } from '../registry/flags.js';
import { programMode, type Target } from './transfers.js';
import { transportOf } from './transport.js';

export interface FetchRequest {
  /** `library://…`, `oras://…`, `https://…` */
  readonly reference: string;
  readonly library: string | undefined;
  readonly arch: string | undefined;
  readonly useCache: boolean;
  /** Also says whether TLS is wanted. */
  readonly access: RegistryAccess;
}

export interface Fetched {
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
  /** Undefined when nobody has said it: then it is in the image. */
  readonly arch: string | undefined;
  /** Whether it was in the cache: nothing was transferred. */
  readonly cached: boolean;
}

/** An image that was found by its name; its hash is known before it is fetched. */
export interface FoundImage {
  /** Its place in the cache. */
  readonly type: ContentType;
  readonly digest: Digest;
  readonly size: number;
  readonly arch: string | undefined;
  /** Fetches it to a file that appears whole or not at all, and checks its hash. */
  download(target: Target): Promise<void>;
}

/** Fetches an image into the cache unless it is there; returns its path. Its hash was checked. */
export async function fetchToCache(place: Surroundings, request: FetchRequest): Promise<string> {
  if (transportOf(request.reference) === 'web') {
    const { webToCache } = await import('./web.js');
    return (await webToCache(place, request.reference, request.useCache)).path;
  }
  return withFound(place, request, async (image) => {
    // The bytes have to lie somewhere: without the cache they are fetched again, and replace what is there.
    const known = request.useCache ? await cachedImage(place, image.digest, image.type) : undefined;
    return known ?? toCache(place, image);
  });
}

/** Fetches an image to a file that appears whole or not at all. Its hash was checked, or is told where nobody knew it. */
export async function fetchToFile(
  place: Surroundings,
  request: FetchRequest,
  target: Target,
): Promise<Fetched> {
  if (transportOf(request.reference) === 'web') {
    const { webToFile } = await import('./web.js');
    return webToFile(place, request.reference, request.useCache, target);
  }
  return withFound(place, request, async (image) => {
    const { digest, size, arch } = image;
    if (request.useCache) {
      const known = await cachedImage(place, digest, image.type);
      const cached = known ?? (await toCache(place, image));
      if (await copied(cached, image, target)) return { digest, size, arch, cached: known !== undefined };
      // Somebody has cleaned the cache at this very moment.
    }
    await image.download(target);
    return { digest, size, arch, cached: false };
  });
}

async function withFound<T>(
  place: Surroundings,
  request: FetchRequest,
  work: (image: FoundImage) => Promise<T>,
): Promise<T> {
  if (transportOf(request.reference) === 'oras') {
    const { withOrasImage } = await import('./oras.js');
    return withOrasImage(place, request, work);
  }
  const { withLibraryImage } = await import('./library-image.js');
  return withLibraryImage(place, request, work);
}

async function toCache(place: Surroundings, image: FoundImage): Promise<string> {
  const { digest, type } = image;
  const path = await cachePath(place, digest, type);
  await sayingHowToMakeRoom(() => image.download({ path, overwrite: true }));
  await markCached(place, digest, type);
  return path;
}

/** Runs what writes into the cache: a disk that is full there is another matter than one that the person has chosen. */
export async function sayingHowToMakeRoom<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof DomainError) || error.reason !== 'disk_full') throw error;
    throw new DomainError('out_of_space', error.message, {
      reason: error.reason,
      remedy:
        'Make room with sing cache clean, keep the cache on another disk (SING_CACHEDIR), or pull with --disable-cache',
      cause: error,
    });
  }
}

/** Copies an image out of the cache. @returns whether it was still there */
export async function copied(
  source: string,
  { digest, size }: { readonly digest: Digest; readonly size: number },
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

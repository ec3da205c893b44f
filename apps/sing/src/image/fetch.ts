import type { Surroundings } from '#libs/cli';
import { cachedImage, cachePath, markCached } from '../cache/store.js';
import type { Fetched, FetchRequest, FoundImage } from './found-image.js';
import { copied, sayingHowToMakeRoom } from './from-cache.js';
import type { Target } from './transfers.js';
import { transportOf } from './transport.js';

/** Fetches an image into the cache unless it is there; returns its path. Its hash was checked. */
export async function fetchToCache(place: Surroundings, request: FetchRequest): Promise<string> {
  if (transportOf(request.reference) === 'web') {
    const { webToCache } = await import('./web.js');
    return (await webToCache(place, request.reference)).path;
  }
  return withFound(place, request, async (image) => {
    const known = await cachedImage(place, image.digest, image.type);
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

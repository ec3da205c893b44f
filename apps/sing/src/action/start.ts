import type { Surroundings } from '#libs/cli';
import type { FetchRequest } from '../image/found-image.js';
import { schemeOf } from '../image/transport.js';
import { registryAccess } from '../registry/flags.js';
import { withoutFetchFlags } from './flags.js';
import { becomeNative } from './native.js';

export interface ActionRequest {
  /** `exec`; `instance`, `start`. */
  readonly verbs: readonly string[];
  /** Flags of the verb as they were typed. */
  readonly flagWords: readonly string[];
  readonly image: string;
  readonly rest: readonly string[];
  readonly flags: Readonly<Record<string, unknown>>;
}

/**
 * Starts a container: an image that is a reference is fetched into the cache first, then this process becomes the native
 * program with the path. Without the cache it becomes the container itself.
 */
export async function startAction(place: Surroundings, request: ActionRequest): Promise<number> {
  const { verbs, flagWords, image, rest } = request;
  const scheme = schemeOf(image);
  if (scheme === undefined || scheme === 'instance')
    return becomeNative(place, [...verbs, ...flagWords, image, ...rest]);
  const wanted = fetchRequest(request);
  const words = (path: string) => [...verbs, ...withoutFetchFlags(flagWords), path, ...rest];
  if (!wanted.useCache) {
    const { startUncached } = await import('./uncached.js');
    return startUncached(place, wanted, words);
  }
  const { fetchToCache } = await import('../image/fetch.js');
  return becomeNative(place, words(await fetchToCache(place, wanted)));
}

function fetchRequest({ image, flags }: ActionRequest): FetchRequest {
  const text = (name: string) => (typeof flags[name] === 'string' ? flags[name] : undefined);
  return {
    reference: image,
    library: text('library'),
    arch: text('arch'),
    useCache: flags['disable-cache'] !== true,
    access: registryAccess(flags),
  };
}

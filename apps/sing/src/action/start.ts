import type { Surroundings } from '#libs/cli';
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
 * program with the path.
 */
export async function startAction(place: Surroundings, request: ActionRequest): Promise<never> {
  const { verbs, flagWords, image, rest } = request;
  const scheme = schemeOf(image);
  if (scheme === undefined || scheme === 'instance')
    return becomeNative(place, [...verbs, ...flagWords, image, ...rest]);
  const path = await fetch(place, request);
  return becomeNative(place, [...verbs, ...withoutFetchFlags(flagWords), path, ...rest]);
}

async function fetch(place: Surroundings, { image, flags }: ActionRequest): Promise<string> {
  const { fetchToCache } = await import('../image/fetch.js');
  const text = (name: string) => (typeof flags[name] === 'string' ? flags[name] : undefined);
  return fetchToCache(place, {
    reference: image,
    library: text('library'),
    arch: text('arch'),
    useCache: flags['disable-cache'] !== true,
    access: registryAccess(flags),
  });
}

import type { Surroundings } from '#libs/cli';
import { DomainError, expected } from '#libs/core';
import { becomeNative } from './native.js';

export interface ActionRequest {
  readonly verb: string;
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
  const { verb, flagWords, image, rest } = request;
  const path = isReference(image) ? await fetch(place, request) : image;
  return becomeNative(place, [verb, ...flagWords, path, ...rest]);
}

function isReference(image: string): boolean {
  return (
    /^[a-z][a-z0-9+.-]*:\/\//.test(image) || /^(docker-daemon|docker-archive|oci|oci-archive):/.test(image)
  );
}

async function fetch(place: Surroundings, { image, flags }: ActionRequest): Promise<string> {
  if (!image.startsWith('library://')) {
    throw new DomainError(
      'not_implemented',
      expected('a file, a folder or library://…', 'the image', image),
      {
        reason: 'unsupported_transport',
        remedy: 'Other places are not offered yet: fetch the image to a file first',
      },
    );
  }
  const { fetchToCache } = await import('../image/fetch.js');
  const text = (name: string) => (typeof flags[name] === 'string' ? flags[name] : undefined);
  return fetchToCache(place, {
    reference: image,
    library: text('library'),
    arch: text('arch'),
    useCache: flags['disable-cache'] !== true,
  });
}

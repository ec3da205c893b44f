import type { Surroundings } from '#libs/cli';
import type { LibraryUpkeepClient } from '#libs/client';
import { withInstance } from '../instance.js';

/** Runs work with the library of the instance, as its administrator. */
export function withLibrary<T>(
  place: Surroundings,
  work: (library: LibraryUpkeepClient) => Promise<T>,
): Promise<T> {
  return withInstance(place, async ({ services, url, at }) => {
    const { LibraryUpkeepClient } = await import('#libs/client');
    return work(new LibraryUpkeepClient(at(services.get('library') ?? url), { signal: place.signal }));
  });
}

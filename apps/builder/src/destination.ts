import { DomainError, expected, parsePushReference } from '#libs/core';
import { LIMITS } from './limits.js';

/** Where the image of a build goes. */
export interface Destination {
  /** `entity/collection/container`. */
  readonly place: string;
  readonly tags: readonly string[];
}

/**
 * Reads `libraryRef` in every form that clients send (builder contract §4.1): `library://e/c/n:tags`, `library:e/c/n:tags`,
 * `library:///e/c/n:tags`, `e/c/n:tags`. Empty: a place of its own below the user's name, kept for a day (§4.2).
 * @throws DomainError `bad_request`
 */
export function parseDestination(libraryRef: string, username: string, buildId: string): Destination {
  if (libraryRef.trim() === '') return { place: `${username}/remote-builds/rb-${buildId}`, tags: ['latest'] };
  const bare = libraryRef.replace(/^library:/, '').replace(/^\/{2,3}/, '');
  if (bare.startsWith('/') || /^[a-z]+:\/\//.test(bare)) throw invalid(libraryRef);
  const { host, entity, collection, container, tags } = parsePushReference(`library://${bare}`);
  if (host !== undefined) throw invalid(libraryRef);
  if (tags.length > LIMITS.tags)
    throw new DomainError('bad_request', expected(`at most ${LIMITS.tags} tags`, 'libraryRef', libraryRef));
  return { place: `${entity}/${collection}/${container}`, tags };
}

/** The canonical form, which every client can download from (builder contract §4.2). */
export function referenceOf({ place, tags }: Destination): string {
  return `library://${place}:${tags.join(',')}`;
}

function invalid(libraryRef: string): DomainError {
  return new DomainError(
    'bad_request',
    expected('library://entity/collection/container[:tags]', 'libraryRef', libraryRef),
  );
}

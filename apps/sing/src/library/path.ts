import type { Surroundings } from '#libs/cli';
import type { LibraryManageClient, ManagedPath } from '#libs/client';
import { DomainError, expected, isLibraryName, isTag } from '#libs/core';
import { withSession } from '../session.js';

export const pathPositional = {
  name: 'path',
  summary: 'entity, entity/collection or entity/collection/container',
} as const;

/** What a path of one, two or three names is. */
export type PlaceKind = 'entity' | 'collection' | 'container';
const KINDS: readonly PlaceKind[] = ['entity', 'collection', 'container'];

export function kindOf(path: ManagedPath): PlaceKind {
  return KINDS[path.length - 1] ?? 'container';
}

/**
 * `[library://]entity[/collection[/container]]`. Capitals are lowered, as the library does.
 * @throws DomainError `bad_request`
 */
export function parsePlace(text: string): ManagedPath {
  const names = text
    .replace(/^library:\/\//, '')
    .toLowerCase()
    .split('/');
  if (names.length > KINDS.length || !names.every(isLibraryName))
    throw new DomainError(
      'bad_request',
      expected('entity, entity/collection or entity/collection/container', 'the path', text),
      {
        reason: 'invalid_reference',
      },
    );
  return names;
}

/** As {@link parsePlace}, with all three names. */
export function parseContainer(text: string): ManagedPath {
  const path = parsePlace(text);
  if (path.length === KINDS.length) return path;
  throw new DomainError('bad_request', expected('entity/collection/container', 'the path', text), {
    reason: 'invalid_reference',
  });
}

/** `entity/collection/container:tag`, with one tag that is said. @throws DomainError `bad_request` */
export function parseTagged(text: string): { readonly path: ManagedPath; readonly tag: string } {
  const [, path = '', tag = ''] = /^(?:library:\/\/)?([^:]*):(.*)$/.exec(text) ?? [];
  if (isTag(tag)) return { path: parseContainer(path), tag };
  throw new DomainError('bad_request', expected('entity/collection/container:tag', 'the tag', text), {
    reason: 'invalid_reference',
  });
}

/** Runs work with the management of the library of the remote; a change needs a token. */
export function withManagement<T>(
  place: Surroundings,
  { change }: { readonly change: boolean },
  work: (library: LibraryManageClient) => Promise<T>,
): Promise<T> {
  return withSession(place, async (session) => {
    if (change) session.requireToken();
    const { LibraryManageClient } = await import('#libs/client');
    return work(new LibraryManageClient(await session.service('library'), { signal: place.signal }));
  });
}

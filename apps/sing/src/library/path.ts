import type { Surroundings } from '#libs/cli';
import type { HttpClient, LibraryManageClient, LibraryViewsClient, ManagedPath } from '#libs/client';
import { DomainError, expected, isDigest, isLibraryName, isTag } from '#libs/core';
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

/** `entity/collection/container:tag`, or `:sha256.…`. @throws DomainError `bad_request` */
export function parseImage(text: string): { readonly path: ManagedPath; readonly ref: string } {
  const [, path = '', ref = ''] = /^(?:library:\/\/)?([^:]*):(.*)$/.exec(text) ?? [];
  if (isTag(ref) || isDigest(ref)) return { path: parseContainer(path), ref };
  throw new DomainError('bad_request', expected('a tag, or sha256.HASH,', 'what is behind the colon', ref), {
    reason: 'invalid_reference',
  });
}

/** Whether a text names an image of a container. */
export function namesImage(text: string): boolean {
  return text.replace(/^library:\/\//, '').includes(':');
}

/** The name of an entity. @throws DomainError `bad_request` */
export function parseEntity(text: string): string {
  const [entity, ...rest] = parsePlace(text);
  if (entity !== undefined && rest.length === 0) return entity;
  throw new DomainError('bad_request', expected('the name of an entity', 'the entity', text), {
    reason: 'invalid_reference',
  });
}

/** Runs work with the library of the remote; with `token` somebody has to be logged in. */
export function withLibraryHttp<T>(
  place: Surroundings,
  { token }: { readonly token: boolean },
  work: (http: HttpClient) => Promise<T>,
): Promise<T> {
  return withSession(place, async (session) => {
    if (token) session.requireToken();
    return work(await session.service('library'));
  });
}

/** Runs work with the management of the library of the remote; a change needs a token. */
export function withManagement<T>(
  place: Surroundings,
  { change }: { readonly change: boolean },
  work: (library: LibraryManageClient) => Promise<T>,
): Promise<T> {
  return withLibraryHttp(place, { token: change }, async (http) => {
    const { LibraryManageClient } = await import('#libs/client');
    return work(new LibraryManageClient(http, { signal: place.signal }));
  });
}

/** Runs work with what the library says of images, and what it counts. */
export function withViews<T>(
  place: Surroundings,
  options: { readonly token: boolean },
  work: (library: LibraryViewsClient) => Promise<T>,
): Promise<T> {
  return withLibraryHttp(place, options, async (http) => {
    const { LibraryViewsClient } = await import('#libs/client');
    return work(new LibraryViewsClient(http, { signal: place.signal }));
  });
}

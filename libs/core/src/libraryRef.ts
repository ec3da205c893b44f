import { type Digest, isDigest } from './digest.js';
import { DomainError, expected } from './errors.js';

/** Longest name of an entity, collection or container (library contract §4). */
export const MAXIMUM_NAME = 255;
/** Longest tag: the OCI tag grammar. */
export const MAXIMUM_TAG = 128;
/** The tag that a reference without one means (library contract §5). */
export const DEFAULT_TAG = 'latest';
/** How many tags one reference may list. */
export const MAXIMUM_TAGS = 64;

const NAME = /^[a-z0-9]+(?:[._-][a-z0-9]+)*$/;
const TAG = /^[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,126}[A-Za-z0-9_])?$/;
const LOOKS_LIKE_HASH = /^(?:sha256|sif)\./;
const HOST = /^[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::[0-9]{1,5})?$/;

/**
 * Whether `text` can name an entity, collection or container: lower-case words joined by single `.`, `_` or `-`
 * (library contract §8, push pattern).
 */
export function isLibraryName(text: string): boolean {
  return text.length <= MAXIMUM_NAME && NAME.test(text);
}

/**
 * Whether `text` can be a tag: the OCI tag grammar, but ending in a letter, digit or `_`, and never what looks like a
 * hash, so that a reference is either a tag or a hash (library contract §8, cases 57 and 61).
 */
export function isTag(text: string): boolean {
  return TAG.test(text) && !LOOKS_LIKE_HASH.test(text);
}

/** The parts of a reference as stock command lines split it, unchecked. */
export interface SplitReference {
  readonly host: string | undefined;
  readonly path: string;
  readonly tags: readonly string[];
}

/**
 * Splits a reference exactly as stock command lines do (library contract §8, "CLI splitting"); never throws and checks
 * nothing. Two slashes or fewer mean that there is no host; the tags begin at the first `:` behind the host.
 */
export function splitLibraryReference(text: string): SplitReference {
  const rest = text.startsWith('library://') ? text.slice('library://'.length) : text;
  const slashes = rest.split('/').length - 1;
  const firstSlash = rest.indexOf('/');
  const hasHost = slashes > 2 && firstSlash > 0;
  const host = hasHost ? rest.slice(0, firstSlash) : undefined;
  const pathAndTags = hasHost ? rest.slice(firstSlash + 1) : rest;
  const colon = pathAndTags.indexOf(':');
  if (colon < 0) return { host, path: pathAndTags, tags: [DEFAULT_TAG] };
  return { host, path: pathAndTags.slice(0, colon), tags: pathAndTags.slice(colon + 1).split(',') };
}

/** A checked reference of a user: one to three names, and tags or hashes. */
export interface LibraryReference {
  /** `host` or `host:port` of a library that is named in the reference itself. */
  readonly host: string | undefined;
  /** One to three names: `[entity/[collection/]]container`. */
  readonly names: readonly string[];
  /** At least one; each a tag or a digest. */
  readonly tags: readonly string[];
}

/**
 * Reads the reference of a pull, delete or run: `library://[host[:port]/][entity/[collection/]]container[:tag,…]`.
 * Names are compared without case by the server, so capitals are accepted and lowered here.
 * @throws DomainError `bad_request` with the part that is wrong
 */
export function parseLibraryReference(text: string): LibraryReference {
  const { host, path, tags } = splitLibraryReference(text);
  if (host !== undefined && !HOST.test(host))
    throw invalid('a host name with an optional port', 'the host', host, text);
  const names = path.replace(/^\/+/, '').toLowerCase().split('/');
  if (names.length > 3) throw invalid('at most entity/collection/container', 'the path', path, text);
  for (const name of names) if (!isLibraryName(name)) throw invalidName(name, text);
  if (tags.length > MAXIMUM_TAGS)
    throw invalid(`at most ${MAXIMUM_TAGS} tags`, 'the tags', tags.length, text);
  for (const tag of tags) {
    // The split by slashes comes before the split by colons, so a port in a short reference ends up here.
    const hint = tag.includes('/') ? ' (a reference with a host needs host/entity/collection/container)' : '';
    if (!isTag(tag) && !isDigest(tag)) throw invalid(`a tag or a sha256 hash${hint}`, 'a tag', tag, text);
  }
  return { host, names, tags };
}

/** A reference that can be pushed to: all three names and tags. */
export interface PushReference {
  readonly host: string | undefined;
  readonly entity: string;
  readonly collection: string;
  readonly container: string;
  readonly tags: readonly string[];
}

/**
 * Reads the reference of a push: exactly three lower-case names, and tags only (library contract §8, push pattern).
 * @throws DomainError `bad_request`
 */
export function parsePushReference(text: string): PushReference {
  const { path } = splitLibraryReference(text);
  if (path !== path.toLowerCase()) throw invalidName(path, text);
  const { host, names, tags } = parseLibraryReference(text);
  const [entity, collection, container] = names;
  if (entity === undefined || collection === undefined || container === undefined)
    throw invalid('entity/collection/container', 'the path of a push', path, text);
  for (const tag of tags)
    if (!isTag(tag)) throw invalid('a tag, not a hash,', 'the tag of a push', tag, text);
  return { host, entity, collection, container, tags };
}

/** The names that a server puts where a short reference leaves one out. */
export interface ReferenceDefaults {
  readonly entity: string;
  readonly collection: string;
}

/** One image as the path of a request names it: by tag or by digest. */
export interface ImageReference {
  readonly entity: string;
  readonly collection: string;
  readonly container: string;
  /** The digest that was asked for, or the tag. */
  readonly by: { readonly digest: Digest } | { readonly tag: string };
}

/**
 * Reads the `{ref}` of a request path: `[entity/[collection/]]container[:tag|:hash]` (library contract §5). Empty names
 * (a double slash) and missing names are the defaults, capitals are lowered, a missing tag is `latest`.
 * @throws DomainError `bad_request`
 */
export function parseImagePath(path: string, defaults: ReferenceDefaults): ImageReference {
  const colon = path.indexOf(':');
  const tag = colon < 0 || colon === path.length - 1 ? DEFAULT_TAG : path.slice(colon + 1);
  const names = parseNames(colon < 0 ? path : path.slice(0, colon), defaults);
  if (isDigest(tag)) return { ...names, by: { digest: tag } };
  if (!isTag(tag)) throw invalid('a tag or sha256.<64 hex digits>', 'the tag', tag, path);
  return { ...names, by: { tag } };
}

function parseNames(path: string, defaults: ReferenceDefaults): Omit<ImageReference, 'by'> {
  const parts = path.toLowerCase().split('/');
  // A leading slash only comes from clients that glue "/" and a short path together: `/v1/images//alpine` is `alpine`.
  while (parts.length > 1 && parts[0] === '') parts.shift();
  if (parts.length > 3) throw invalid('at most entity/collection/container', 'the path', path, path);
  const container = parts.pop() ?? '';
  const collection = parts.pop() || defaults.collection;
  const entity = parts.pop() || defaults.entity;
  for (const name of [entity, collection, container]) if (!isLibraryName(name)) throw invalidName(name, path);
  return { entity, collection, container };
}

/**
 * Reads the path of a request that names a container, a collection or an entity by all its names; an empty one is its
 * default (old clients send `/v1/collections//x`, library contract §3).
 * @throws DomainError `bad_request`
 */
export function parseNamePath(path: string, defaults: readonly string[]): string[] {
  const parts = path.toLowerCase().split('/');
  if (parts.length !== defaults.length)
    throw invalid(`${defaults.length} name${defaults.length === 1 ? '' : 's'}`, 'the path', path, path);
  return parts.map((part, index) => {
    const name = part || (defaults[index] ?? '');
    if (!isLibraryName(name)) throw invalidName(name, path);
    return name;
  });
}

function invalidName(name: string, whole: string): DomainError {
  return invalid('lower-case letters and digits joined by single ".", "_" or "-"', 'a name', name, whole);
}

function invalid(what: string, name: string, got: unknown, whole: string): DomainError {
  const place =
    got === whole ? '' : ` in ${JSON.stringify(whole.length > 120 ? `${whole.slice(0, 117)}…` : whole)}`;
  return new DomainError('bad_request', `${expected(what, name, got)}${place}`, {
    reason: 'invalid_reference',
    remedy: 'A reference looks like library://entity/collection/container:tag.',
  });
}

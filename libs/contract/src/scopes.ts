import { z } from 'zod';
import { type Actor, SCOPE_NAMES, ScopeName } from './actor.js';

/**
 * Scopes that may be limited to a place: `library:write:entity`, `…/collection`, `…/collection/container`. `library:create` brings images
 * and sets tags that are not there yet; whoever has `library:write` may do that, too, and move tags and change things besides.
 */
export const PLACED_SCOPES = ['library:read', 'library:create', 'library:write', 'library:delete'] as const;

/** One part of a place: the pattern that stock clients demand for pushed paths (library contract §8). */
const PLACE_PART = '[a-z0-9]+(?:[._-][a-z0-9]+)*';
const PLACE = new RegExp(`^${PLACE_PART}(?:/${PLACE_PART}){0,2}$`);
const MAXIMUM_PLACE = 200;

/** A library place of one to three parts, for example `alice/tools/blast`. */
export const Place = z.string().max(MAXIMUM_PLACE).regex(PLACE);

export interface ParsedScope {
  readonly name: ScopeName;
  /** Undefined = everywhere. */
  readonly place: string | undefined;
}

/** Takes `name` or `name:place` apart; undefined when it is neither. */
export function parseScope(text: string): ParsedScope | undefined {
  const plain = ScopeName.safeParse(text);
  if (plain.success) return { name: plain.data, place: undefined };
  const name = PLACED_SCOPES.find((candidate) => text.startsWith(`${candidate}:`));
  if (name === undefined) return undefined;
  const place = text.slice(name.length + 1);
  return Place.safeParse(place).success ? { name, place } : undefined;
}

/** A scope as tokens carry it: one of the names, or a `library:…` name with a place. */
export const Scope = z.string().refine((text) => parseScope(text) !== undefined, {
  error: `Expected a scope (${SCOPE_NAMES.join(', ')}; library scopes may end in :entity/collection/container)`,
});

/** Whether `place` is `outer` or lies below it, by whole parts: `a/b` holds `a/b/c` and not `a/bc`. */
function isWithin(place: string, outer: string): boolean {
  return place === outer || place.startsWith(`${outer}/`);
}

/** Whether a scope allows what another one does, at the same place. */
function includes(held: ScopeName | undefined, wanted: ScopeName): boolean {
  return held === wanted || (held === 'library:write' && wanted === 'library:create');
}

/** Whether whoever holds the scope `held` may do all that `wanted` allows. Unknown scopes cover nothing. */
export function scopeCovers(held: string, wanted: string): boolean {
  const has = parseScope(held);
  const wants = parseScope(wanted);
  if (has === undefined || wants === undefined || !includes(has.name, wants.name)) return false;
  if (has.place === undefined) return true;
  return wants.place !== undefined && isWithin(wants.place, has.place);
}

type Holder = Pick<Actor, 'scopes' | 'administrator'>;

/** `admin` counts only while the account is an administrator's, whatever the token says. */
function counts(holder: Holder, name: ScopeName): boolean {
  return name !== 'admin' || holder.administrator;
}

/** Whether the token carries this scope at all, here or at some place. The guard asks this for `@Requires`. */
export function hasScope(holder: Holder, name: ScopeName): boolean {
  return counts(holder, name) && holder.scopes.some((scope) => includes(parseScope(scope)?.name, name));
}

/** Whether the token allows `name` at `place` (`entity`, `entity/collection` or `entity/collection/container`). */
export function scopeAllowsAt(holder: Holder, name: (typeof PLACED_SCOPES)[number], place: string): boolean {
  return holder.scopes.some((scope) => {
    const has = parseScope(scope);
    if (has === undefined || !includes(has.name, name)) return false;
    return has.place === undefined || isWithin(place, has.place);
  });
}

/**
 * Whether the token allows `name` at `place`, above it or below it. For what has to exist on the way: a token for
 * `alice/tools/blast` may see `alice` and `alice/tools`, and make them when they are missing.
 */
export function scopeTouches(holder: Holder, name: (typeof PLACED_SCOPES)[number], place: string): boolean {
  return holder.scopes.some((scope) => {
    const has = parseScope(scope);
    if (has === undefined || !includes(has.name, name)) return false;
    return has.place === undefined || isWithin(place, has.place) || isWithin(has.place, place);
  });
}

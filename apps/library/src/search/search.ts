import type { Actor } from '#libs/contract';
import type { SearchQuery } from './searchQuery.js';
import type { KindState } from './searchCursors.js';
import type { Scope } from './terms.store.js';
import type { Gathered } from './walk.js';

/** One request of a search. */
export interface Search {
  readonly query: SearchQuery;
  readonly actor: Actor | undefined;
  /** Whose things are looked at. */
  readonly scopes: readonly Scope[];
}

/** What was found of one kind, and how its search goes on. */
export interface Part<T> {
  readonly found: readonly T[];
  readonly next: KindState;
  readonly cut: boolean;
}

/** Of a kind that is not searched, or that was searched to the end. */
export const OVER = { found: [], next: null, cut: false } as const satisfies Part<never>;

/** @param words that led to what was gathered */
export function nextOf({ done, next }: Gathered, words: readonly string[]): KindState {
  return done ? null : { words: [...words], ...(next === undefined ? {} : { place: next }) };
}

import { LIMITS } from '../limits.js';

/**
 * Everything that a name can be found by: all its endings of at least three characters, so that a search for any part of a
 * name is a range scan over them.
 */
export function searchTerms(name: string): string[] {
  const terms: string[] = [];
  for (let start = 0; start + LIMITS.searchMinimum <= name.length; start += 1) terms.push(name.slice(start));
  return terms;
}

/** A search text taken apart. */
export interface SearchText {
  /** Words that are long enough for the index: what is found has one of them in its own name. */
  readonly keys: readonly string[];
  /** All words, lower-case: each must occur in the path of what is found. */
  readonly words: readonly string[];
  /** The beginning of a hash, when the text can be one. */
  readonly hash: string | undefined;
}

/** Words are separated by blanks, slashes and colons. */
export function readSearchText(value: string): SearchText {
  const words = value
    .toLowerCase()
    .split(/[\s/:]+/)
    .filter((word) => word !== '');
  const keys = [...new Set(words)]
    .filter((word) => word.length >= LIMITS.searchMinimum)
    .slice(0, LIMITS.searchKeys);
  const hex = /^(?:sha256\.)?([0-9a-f]{6,64})$/.exec(value.trim().toLowerCase())?.[1];
  return { keys, words, hash: hex === undefined ? undefined : `sha256.${hex}` };
}

/** Whether every word occurs in the path. */
export function matchesPath(text: SearchText, path: string): boolean {
  return text.words.every((word) => path.includes(word));
}

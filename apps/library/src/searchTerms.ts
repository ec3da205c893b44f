import { LIMITS } from './limits.js';

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
  /** The longest word: what the index is asked for. */
  readonly key: string;
  /** All words, lower-case: each must occur in the path of what is found. */
  readonly words: readonly string[];
  /** The beginning of a hash, when the text can be one. */
  readonly hash: string | undefined;
}

/** Words are separated by blanks and slashes; the first of the longest ones is the key. */
export function readSearchText(value: string): SearchText {
  const words = value
    .toLowerCase()
    .split(/[\s/:]+/)
    .filter((word) => word !== '');
  const key = words.reduce((longest, word) => (word.length > longest.length ? word : longest), '');
  const hex = /^(?:sha256\.)?([0-9a-f]{6,64})$/.exec(value.trim().toLowerCase())?.[1];
  return { key, words, hash: hex === undefined ? undefined : `sha256.${hex}` };
}

/** Whether every word occurs in the path. */
export function matchesPath(text: SearchText, path: string): boolean {
  return text.words.every((word) => path.includes(word));
}

import { indexedForms } from '#libs/core';
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

const ADDRESS = /\bhttps?:\/\/\S+/g;
/** What stock clients write where nobody said anything (library contract §6.4). */
const NOTHING_SAID = /^\s*no description\.?\s*$/i;

/** Words under which texts are found, those of the first texts first: each once, and so many at most. Addresses are none. */
export function wordsOf(texts: readonly string[], most: number): string[] {
  const words = new Set<string>();
  for (const text of texts) {
    if (NOTHING_SAID.test(text)) continue;
    for (const word of indexedForms(text.replaceAll(ADDRESS, ' '))) {
      if (words.size === most) return [...words];
      if (word.length >= LIMITS.searchMinimum && word.length <= LIMITS.searchWord) words.add(word);
    }
  }
  return [...words];
}

/**
 * What leads from the end of a fingerprint to it: people know keys by its last digits, which are the key id, too. Of keys of version 6
 * the key id is the beginning.
 */
export function signerTerms(fingerprints: readonly string[]): string[] {
  const names = fingerprints.flatMap((one) => (one.length === 64 ? [one, one.slice(0, 16)] : [one]));
  return [...new Set(names.map(backwards))].slice(0, LIMITS.searchSigners);
}

/** A fingerprint, or the end of one, from behind and lower-case. */
export function backwards(hex: string): string {
  return hex.toLowerCase().split('').toReversed().join('');
}

/** What a term of an image says of it behind its word: nothing where an older version wrote it. */
export interface Mark {
  /** Empty where it has none. */
  readonly arch: string;
  /** It has signatures, whatever they are worth. */
  readonly signed: boolean;
}

/**
 * The term of a word, or of a fingerprint, of an image. The mark stands in the order of the index behind the word (which no blank is
 * in), so that all images of a word with the same mark lie together, and a search for others passes over them in one step.
 */
export function markedTerm(word: string, { arch, signed }: Mark): string {
  return `${word} ${arch} ${signed ? 'signed' : 'unsigned'}`;
}

/** A term taken apart. */
export function readTerm(term: string): { readonly word: string; readonly mark: Mark | undefined } {
  const [word = '', arch, signed] = term.split(' ');
  return { word, mark: arch === undefined ? undefined : { arch, signed: signed === 'signed' } };
}

/** Whether one of the fingerprints is, or ends with, what a search names. @param end lower-case */
export function hasSigner(fingerprints: readonly string[], end: string): boolean {
  return signerTerms(fingerprints).some((term) => term.startsWith(backwards(end)));
}

/** A search text taken apart. */
export interface SearchText {
  /** Words that are long enough for the index: what is found has one of them in itself. */
  readonly keys: readonly string[];
  /** All words, lower-case: each must occur in the path of what is found, or begin a word of its texts. */
  readonly words: readonly string[];
  /** The beginning of a hash, when the text can be one. */
  readonly hash: string | undefined;
}

/** Words are separated by blanks, slashes and colons. */
export function readSearchText(value: string): SearchText {
  const words = value
    .normalize('NFKC')
    .toLowerCase()
    .split(/[\s/:]+/)
    .filter((word) => word !== '');
  const keys = [...new Set(words)]
    .filter((word) => word.length >= LIMITS.searchMinimum)
    .slice(0, LIMITS.searchKeys);
  const hex = /^(?:sha256\.)?([0-9a-f]{6,64})$/.exec(value.trim().toLowerCase())?.[1];
  return { keys, words, hash: hex === undefined ? undefined : `sha256.${hex}` };
}

/** What is said in texts, for being asked for words. They are taken apart only when they may have one. */
export class Said {
  readonly #texts: readonly string[];
  readonly #most: number;
  #words: readonly string[] | undefined;
  #plain: string | undefined;

  /** @param most words that are found, as of {@link wordsOf} */
  constructor(texts: readonly string[], most: number) {
    this.#texts = texts;
    this.#most = most;
  }

  has(word: string): boolean {
    return this.first(word) !== undefined;
  }

  /** The one of all words beginning so that stands for them. */
  first(word: string): string | undefined {
    this.#plain ??= this.#texts.join('\n').normalize('NFKC').toLowerCase();
    // Without diacritics it may have words that it has not as it stands.
    if (isAscii(this.#plain) && !this.#plain.includes(word)) return undefined;
    this.#words ??= wordsOf(this.#texts, this.#most);
    return least(this.#words.filter((one) => one.startsWith(word)));
  }
}

/** The ending of a name that stands for all that begin with the word. */
export function firstEnding(name: string, word: string): string | undefined {
  return least(searchTerms(name).filter((one) => one.startsWith(word)));
}

/** Whether every word occurs in the path, or begins a word of what is said. */
export function matches(words: readonly string[], path: string, said: readonly Said[]): boolean {
  return words.every((word) => path.includes(word) || said.some((one) => one.has(word)));
}

const least = (words: readonly string[]): string | undefined => words.toSorted()[0];
const isAscii = (text: string): boolean => /^\p{ASCII}*$/u.test(text);

import { compoundsIn, indexedForms, partsOf } from '#libs/core';
import { LIMITS } from './limits.js';

const ADDRESS = /^[^\s@<>]+@[^\s@<>]+$/;

/** The address in `Name <a@b>` or `a@b`, lower case. A whole domain cannot be asked for. */
export function emailIn(text: string): string | undefined {
  const inside = /<([^<>]*)>\s*$/.exec(text)?.[1] ?? text;
  const address = inside.trim().toLowerCase();
  return ADDRESS.test(address) ? address : undefined;
}

/**
 * The address that a user id is found by: where it names two of them, nobody knows which one is meant (keystore contract §3.2).
 * @returns lower case; undefined also for one that is too long to be an address
 */
export function addressOf(userId: string): string | undefined {
  const address = emailIn(userId);
  const named = new Set(userId.toLowerCase().match(/[^\s@<>()",;:]+@[^\s@<>()",;:]+/g));
  if (address === undefined || named.size > 1) return undefined;
  return Buffer.byteLength(address) <= LIMITS.handleBytes ? address : undefined;
}

const DOMAIN = /@[^\s<>(),;"]*/gu;

/**
 * Words under which a user id is found (keystore contract §7.3): each alone, joined ones also together, and each without its
 * diacritics. The domain of an address is none of them: nobody shall list everybody of a site.
 */
export function indexedWords(userId: string): string[] {
  return usable(indexedForms(withoutDomains(userId)));
}

/**
 * Readings of a term as words, the narrower first: `jean-luc` as it stands, then `jean` and `luc`.
 * @returns none for a term without any word
 */
export function searchedWords(term: string): string[][] {
  const compounds = compoundsIn(withoutDomains(term));
  const readings = [usable(compounds), usable(compounds.flatMap(partsOf))];
  return readings
    .map((words) => words.slice(0, LIMITS.words))
    .filter((words, index, all) => words.length > 0 && (index === 0 || all[0]?.join() !== words.join()));
}

const withoutDomains = (text: string): string => text.normalize('NFKC').replace(DOMAIN, ' ');

const usable = (words: readonly string[]): string[] =>
  [...new Set(words)].filter(({ length }) => length >= 2 && length <= LIMITS.wordLength);

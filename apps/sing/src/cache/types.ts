import type { Flags } from '#libs/cli';
import { DomainError, expected } from '#libs/core';
import { CACHE_TYPES, type CacheType } from './store.js';

export const typeFlag = {
  type: {
    type: 'list',
    short: 'T',
    value: 'TYPE',
    commas: true,
    summary: `only entries of a kind: ${CACHE_TYPES.join(', ')} or all`,
  },
} as const satisfies Flags;

/** Kinds that were asked for; all when none was. @throws DomainError for an unknown one */
export function chosenTypes(words: readonly string[]): readonly CacheType[] {
  if (words.length === 0 || words.includes('all')) return CACHE_TYPES;
  return words.map((word) => {
    const type = CACHE_TYPES.find((each) => each === word);
    if (type !== undefined) return type;
    throw new DomainError('bad_request', expected(`one of ${CACHE_TYPES.join(', ')}, all`, '--type', word), {
      exitCode: 1,
    });
  });
}

import { LIMITS } from '../limits.js';
import { firstEnding, type Said } from './searchTerms.js';
import type { SearchKind, Scope, TermKind, TermsStore } from './terms.store.js';
import type { Candidate, Source } from './walk.js';

/** What leads to things of a kind by themselves, names first; and, for what a word may also be of, what they lie in. */
const WAYS: Readonly<
  Record<SearchKind | 'image', { readonly own: readonly TermKind[]; readonly around: readonly TermKind[] }>
> = {
  entity: { own: ['entity', 'entityText'], around: [] },
  collection: { own: ['collection', 'collectionText'], around: ['entity', 'place'] },
  container: { own: ['container', 'containerText'], around: ['entity', 'place', 'collection'] },
  image: {
    own: ['imageText'],
    around: ['entity', 'place', 'collection', 'container', 'containerText'],
  },
};

/**
 * The words that lead to candidates of a kind, of which each must have all words of a search, and one of them in itself. A word that
 * nothing around has must be in what is found itself: then the one that fewest have leads to everything. When each word may be of
 * what is around, all of them lead to candidates, the rarest first.
 * @param keys of the search
 */
export async function drivingWords(
  terms: Pick<TermsStore, 'count'>,
  kind: SearchKind | 'image',
  keys: readonly string[],
  scopes: readonly Scope[],
): Promise<readonly string[]> {
  if (keys.length <= 1) return keys;
  const { own, around } = WAYS[kind];
  const isOwn: string[] = [];
  for (const key of keys) if ((await terms.count(around, key, scopes, 1)) === 0) isOwn.push(key);
  if (isOwn.length === 0) return byRarity(terms, own, keys, scopes);
  return (await byRarity(terms, own, isOwn, scopes)).slice(0, 1);
}

/** Where these words lead to things of a kind: by names before by anything else. */
export function sourcesOf(kind: SearchKind | 'image', words: readonly string[]): Source[] {
  return WAYS[kind].own.flatMap((one) => words.map((word) => ({ kind: one, word })));
}

/** Counted a little way at first, which tells rare words from others, and further only where all of them go on. */
async function byRarity(
  terms: Pick<TermsStore, 'count'>,
  kinds: readonly TermKind[],
  words: readonly string[],
  scopes: readonly Scope[],
): Promise<readonly string[]> {
  let counted: { word: string; count: number }[] = [];
  for (const most of [LIMITS.searchProbe, LIMITS.searchCandidates]) {
    counted = [];
    for (const word of words) counted.push({ word, count: await terms.count(kinds, word, scopes, most) });
    if (counted.some(({ count }) => count < most)) break;
  }
  return counted.toSorted((a, b) => a.count - b.count).map(({ word }) => word);
}

/**
 * Whether a candidate is the first that leads to its object: it is found once, however many of its words a search leads to, and on
 * however many pages.
 */
export function isFirstWay(
  { source, term }: Candidate,
  sources: readonly Source[],
  { name, said }: { readonly name: string; readonly said: Said },
): boolean {
  const first = ({ kind, word }: Source): string | undefined =>
    kind.endsWith('Text') ? said.first(word) : firstEnding(name, word);
  const way = sources[source];
  return (
    way !== undefined &&
    first(way) === term &&
    sources.slice(0, source).every((one) => first(one) === undefined)
  );
}

import { LIMITS } from '../limits.js';
import { mayRead, placeOf, type Subject } from '../policy.js';
import { objectTexts } from './documents.store.js';
import { drivingWords, isFirstWay, sourcesOf } from './drivers.js';
import { nextOf, OVER, type Part, type Search } from './search.js';
import type { KindState } from './searchCursors.js';
import { matches, Said } from './searchTerms.js';
import type { SearchKind, TermsStore } from './terms.store.js';
import { type Candidate, candidates, gather, type Source } from './walk.js';

/** What entities, collections and containers have in common. */
interface Named {
  readonly id: string;
  readonly value: {
    readonly name: string;
    readonly description: string;
    readonly fullDescription?: string;
  };
}

export interface Objects<T> {
  readonly kind: SearchKind;
  readonly getMany: (ids: readonly string[]) => Promise<readonly T[]>;
  readonly subject: (object: T) => Subject;
}

/** Finds entities, collections or containers that have all words of a search in their path or their texts, and one in themselves. */
export async function findObjects<T extends Named>(
  terms: TermsStore,
  objects: Objects<T>,
  search: Search,
  state: KindState,
): Promise<Part<T>> {
  if (state === null) return OVER;
  const found: T[] = [];
  const { words, gathered } = await walkObjects(terms, objects, search, state, {
    take: (object) => object,
    add: (object) => found.push(object),
    isFull: () => found.length >= LIMITS.searchObjects,
  });
  return { found, next: nextOf(gathered, words), cut: gathered.cut };
}

/** Walks along those that {@link findObjects} finds. */
export async function walkObjects<T extends Named, U>(
  terms: TermsStore,
  { kind, getMany, subject }: Objects<T>,
  search: Search,
  state: NonNullable<KindState>,
  steps: {
    readonly take: (object: T) => U | undefined | Promise<U | undefined>;
    readonly add: (found: U) => void;
    readonly isFull: () => boolean;
    readonly isOver?: () => boolean;
  },
) {
  const { query, scopes } = search;
  const words = state.place ? state.words : await drivingWords(terms, kind, query.text.keys, scopes);
  const sources = sourcesOf(kind, words);
  let loaded = new Map<string, T>();
  const gathered = await gather<U>(candidates(terms, sources, scopes, state.place), state.place, {
    ...steps,
    load: async (batch) => {
      const ids = [...new Set(batch.map(({ target }) => target))];
      loaded = new Map((await getMany(ids)).map((one) => [one.id, one]));
    },
    take: (candidate) => {
      const object = loaded.get(candidate.target);
      const isFound = object !== undefined && isHit(object, subject(object), { candidate, sources, search });
      return isFound ? steps.take(object) : undefined;
    },
  });
  return { words, gathered };
}

function isHit(
  { value }: Named,
  subject: Subject,
  how: { readonly candidate: Candidate; readonly sources: readonly Source[]; readonly search: Search },
): boolean {
  const { query, actor } = how.search;
  if (!mayRead(actor, subject).allowed) return false;
  if (query.private !== undefined && subject.private !== query.private) return false;
  const said = new Said(objectTexts(value), LIMITS.searchWords);
  if (!isFirstWay(how.candidate, how.sources, { name: value.name, said })) return false;
  return matches(query.text.words, placeOf(subject), [said]);
}

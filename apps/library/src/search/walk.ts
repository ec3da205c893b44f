import { LIMITS } from '../limits.js';
import { type Mark, readTerm } from './searchTerms.js';
import type { Scope, Term, TermKind, TermsStore } from './terms.store.js';

/** One way to candidates: terms of a kind that begin with a word. */
export interface Source {
  readonly kind: TermKind;
  readonly word: string;
}

/** Behind a candidate. */
export interface WalkPlace {
  /** Which source, and whose things. */
  readonly source: number;
  readonly audience: string;
  /** The page of the index that the candidate is on, or what that page begins behind. */
  readonly cursor?: string | undefined;
  readonly behind?: string | undefined;
  /** As it is stored. */
  readonly term: string;
  readonly id: string;
}

export interface Candidate {
  /** Id of what the term leads to. */
  readonly target: string;
  readonly source: number;
  /** Its word. */
  readonly term: string;
  readonly place: WalkPlace;
  /** Its mark says that it is none of those that are asked for: it is passed over, and not read. */
  readonly isOther: boolean;
}

/** What stands for "whoever may see it" in a place. */
const ANYBODY = '*';

/**
 * Candidates in a fixed order, some at a time: those of one source after those of the one before, of each those that are everybody's
 * first. The same target may come more than once. Where many in a row have a term that is passed over, only the first of them come.
 * @param from goes on behind a place, whatever has come or gone meanwhile
 * @param isOther whether what is marked so is none of those that are asked for
 */
export async function* candidates(
  terms: Pick<TermsStore, 'page'>,
  sources: readonly Source[],
  scopes: readonly Scope[],
  from?: WalkPlace,
  isOther: (mark: Mark) => boolean = () => false,
): AsyncGenerator<readonly Candidate[], void> {
  const isPassed = ({ mark }: { mark: Mark | undefined }): boolean => mark !== undefined && isOther(mark);
  const ordered = scopes.toSorted((a, b) => compare(keyOf(a), keyOf(b)));
  for (const [source, { kind, word }] of sources.entries()) {
    if (from !== undefined && source < from.source) continue;
    for (const scope of ordered) {
      const audience = keyOf(scope);
      const isFirst = from?.source === source && compare(audience, from.audience) <= 0;
      if (isFirst && audience !== from.audience) continue;
      let [cursor, behind] = isFirst ? [from.cursor, from.behind] : [];
      do {
        const page = await terms.page(kind, word, scope, { limit: LIMITS.searchBatch, cursor, behind });
        const items = isFirst ? page.items.filter((item) => isBehind(item, from)) : page.items;
        if (items.length > 0)
          yield items.map(({ id, value: { target, term } }) => {
            const read = readTerm(term);
            return {
              target,
              source,
              term: read.word,
              place: { source, audience, ...given({ cursor, behind }), term, id },
              isOther: isPassed(read),
            };
          });
        const last = page.cursor === undefined ? undefined : page.items.at(-1)?.value.term;
        const isSkipped = last !== undefined && isPassed(readTerm(last));
        [cursor, behind] = isSkipped ? [undefined, last] : [page.cursor, undefined];
      } while (cursor !== undefined || behind !== undefined);
    }
  }
}

/** In the order of the index. */
function isBehind({ id, value: { term } }: Term, place: WalkPlace): boolean {
  return compare(term, place.term) > 0 || (term === place.term && compare(id, place.id) > 0);
}

const given = ({ cursor, behind }: Pick<WalkPlace, 'cursor' | 'behind'>) => ({
  ...(cursor === undefined ? {} : { cursor }),
  ...(behind === undefined ? {} : { behind }),
});
const keyOf = ({ audience = ANYBODY }: Scope): string => audience;
const compare = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));

/** What was gathered of a kind for one answer. */
export interface Gathered {
  /** Where the next answer goes on; undefined at the end. */
  readonly next: WalkPlace | undefined;
  readonly done: boolean;
  /** So many candidates were looked at, or passed over, that the rest is left to the next answer. */
  readonly cut: boolean;
}

/**
 * Walks along candidates until there are enough. One more is looked for then, so that there is a next answer only when there is
 * something in it, or when too many were looked at.
 * @param from where it goes on
 * @param load what all of these candidates lead to, of which none is passed over
 * @param take whether a candidate is found, and what looking at it has cost beside itself; called for as long as `isFull` is false
 * @param add makes what was taken a part of the answer
 */
export async function gather<T>(
  batches: AsyncIterable<readonly Candidate[]>,
  from: WalkPlace | undefined,
  steps: {
    readonly load: (batch: readonly Candidate[]) => Promise<void>;
    readonly take: (candidate: Candidate) => T | undefined | Promise<T | undefined>;
    readonly add: (found: T) => void;
    readonly isFull: () => boolean;
    readonly isOver?: () => boolean;
  },
): Promise<Gathered> {
  let place = from;
  let [looked, passed] = [0, 0];
  for await (const batch of batches) {
    await steps.load(batch.filter(({ isOther }) => !isOther));
    for (const candidate of batch) {
      const isEnough = candidate.isOther
        ? passed >= LIMITS.searchPassed
        : looked >= LIMITS.searchCandidates || steps.isOver?.() === true;
      if (isEnough) return { next: place, done: false, cut: true };
      if (candidate.isOther) passed += 1;
      else looked += 1;
      const found = candidate.isOther ? undefined : await steps.take(candidate);
      if (found !== undefined) {
        if (steps.isFull()) return { next: place, done: false, cut: false };
        steps.add(found);
      }
      ({ place } = candidate);
    }
  }
  return { next: undefined, done: true, cut: false };
}

import { z } from 'zod';
import type { CollectionSpec } from '#libs/documents';
import { searchTerms } from './searchTerms.js';

export type SearchKind = 'entity' | 'collection' | 'container';
const TermDocument = z.object({
  audience: z.string(),
  kind: z.enum(['entity', 'collection', 'container']),
  term: z.string(),
  target: z.string(),
});
export type TermDocument = z.infer<typeof TermDocument>;

export type TermIndex = 'byAudience' | 'byTerm';
export const TERMS = {
  name: 'terms',
  schema: TermDocument,
  indexes: {
    byAudience: { fields: ['audience', 'kind', 'term'] },
    byTerm: { fields: ['kind', 'term'] },
  },
} as const satisfies CollectionSpec<TermDocument>;

/** What leads a search to an object, by the ids of the documents. */
export function termsOf(object: {
  readonly kind: SearchKind;
  readonly name: string;
  readonly target: string;
  readonly audience: string;
}): Map<string, TermDocument> {
  const { kind, name, target, audience } = object;
  return new Map(
    searchTerms(name).map((term) => [`${target}/${term.length}`, { audience, kind, term, target }]),
  );
}

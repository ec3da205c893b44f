import { Inject, Injectable } from '@nestjs/common';
import { z } from 'zod';
import type { Collection as DocumentCollection, CollectionSpec } from '#libs/documents';
import { type Change, DATABASE, type Database } from '../database.store.js';
import { searchTerms } from './searchTerms.js';

export type SearchKind = 'entity' | 'collection' | 'container';
const TermDocument = z.object({
  audience: z.string(),
  kind: z.enum(['entity', 'collection', 'container']),
  term: z.string(),
  target: z.string(),
});
type TermDocument = z.infer<typeof TermDocument>;

type Index = 'byAudience' | 'byTerm';
const TERMS = {
  name: 'terms',
  schema: TermDocument,
  indexes: {
    byAudience: { fields: ['audience', 'kind', 'term'] },
    byTerm: { fields: ['kind', 'term'] },
  },
} as const satisfies CollectionSpec<TermDocument>;

/** The word index of the search: every ending of every name. */
@Injectable()
export class TermsStore {
  readonly #terms: DocumentCollection<TermDocument, Index>;

  constructor(@Inject(DATABASE) database: Database) {
    this.#terms = database.collection<TermDocument, Index>(TERMS);
  }

  /**
   * The ids of objects of a kind with a name that contains `text`, those first in which it is nearest to the end.
   * @param audience undefined: whoever may find them
   * @returns with `more` where the limit was reached
   */
  async find(
    kind: SearchKind,
    text: string,
    audience: string | undefined,
    limit: number,
  ): Promise<{ ids: string[]; more: boolean }> {
    // Names are ASCII: nothing that begins with the text sorts behind this.
    const range = { from: text, before: `${text}\x7f`, limit };
    const { items } = await (audience === undefined
      ? this.#terms.scan('byTerm', { equal: [kind], ...range })
      : this.#terms.scan('byAudience', { equal: [audience, kind], ...range }));
    return { ids: [...new Set(items.map(({ value }) => value.target))], more: items.length >= limit };
  }

  creation(options: { kind: SearchKind; name: string; target: string; audience: string }): Change[] {
    const { kind, name, target, audience } = options;
    return searchTerms(name).map((term) =>
      this.#terms.write.put(`${target}/${term.length}`, { audience, kind, term, target }),
    );
  }

  /** @param kept the name that the object has from now on: its terms are written in any case */
  removal(name: string, target: string, kept = ''): Change[] {
    const lengths = new Set(searchTerms(kept).map((term) => term.length));
    return searchTerms(name)
      .filter((term) => !lengths.has(term.length))
      .map((term) => this.#terms.write.delete(`${target}/${term.length}`));
  }
}

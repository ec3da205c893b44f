import { Inject, Injectable } from '@nestjs/common';
import type { Collection as DocumentCollection } from '#libs/documents';
import { type Change, DATABASE, type Database } from '../database.store.js';
import { searchTerms } from './searchTerms.js';
import { type SearchKind, type TermDocument, type TermIndex, TERMS, termsOf } from './documents.store.js';

export type { SearchKind } from './documents.store.js';

/** The word index of the search: every ending of every name. */
@Injectable()
export class TermsStore {
  readonly #terms: DocumentCollection<TermDocument, TermIndex>;

  constructor(@Inject(DATABASE) database: Database) {
    this.#terms = database.collection<TermDocument, TermIndex>(TERMS);
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

  creation(object: { kind: SearchKind; name: string; target: string; audience: string }): Change[] {
    return [...termsOf(object)].map(([id, term]) => this.#terms.write.put(id, term));
  }

  /** @param kept the name that the object has from now on: its terms are written in any case */
  removal(name: string, target: string, kept = ''): Change[] {
    const lengths = new Set(searchTerms(kept).map((term) => term.length));
    return searchTerms(name)
      .filter((term) => !lengths.has(term.length))
      .map((term) => this.#terms.write.delete(`${target}/${term.length}`));
  }
}

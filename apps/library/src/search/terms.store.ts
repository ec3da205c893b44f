import { Inject, Injectable } from '@nestjs/common';
import type { Collection as DocumentCollection, ScanResult, Stored } from '#libs/documents';
import { type Change, DATABASE, type Database } from '../database.store.js';
import type { ImageDocument } from '../images/documents.store.js';
import type { Container } from '../tree/documents.store.js';
import {
  imageTerms,
  sameTerm,
  type TermDocument,
  type TermIndex,
  type TermKind,
  type Terms,
  TERMS,
} from './documents.store.js';

export type { SearchKind, TermDocument, TermKind, Terms } from './documents.store.js';

/** What leads to something, as it is stored. */
export type Term = Stored<TermDocument>;

/** Whose things are looked at: one stretch of the index, so that nobody waits for what they may not see. */
export interface Scope {
  /** Undefined: whoever may see them. */
  readonly audience: string | undefined;
  /** Only what lies in the entity of this id; with an audience alone. */
  readonly entity?: string | undefined;
}

/** Behind every text that begins with another one, in the order of the index. */
const LAST = '\u{10ffff}';

/** What leads the search to things: every ending of every name, the words of texts, and fingerprints of signers. */
@Injectable()
export class TermsStore {
  readonly #terms: DocumentCollection<TermDocument, TermIndex>;

  constructor(@Inject(DATABASE) database: Database) {
    this.#terms = database.collection<TermDocument, TermIndex>(TERMS);
  }

  /**
   * Terms of a kind that begin with a word, in their order, page by page.
   * @param behind in place of a cursor: begins behind all that are stored as this term
   */
  page(
    kind: TermKind,
    word: string,
    scope: Scope,
    place: {
      readonly limit: number;
      readonly cursor?: string | undefined;
      readonly behind?: string | undefined;
    },
  ): Promise<ScanResult<TermDocument>> {
    const { limit, cursor, behind } = place;
    const { index, equal } = stretchOf(kind, scope);
    // Nothing begins with a whole term but itself.
    const from = behind === undefined ? word : `${behind}${LAST}`;
    const at = cursor === undefined ? {} : { cursor };
    return this.#terms.scan(index, { equal, from, before: `${word}${LAST}`, limit, ...at });
  }

  /** How many terms begin with a word, counted up to a number. */
  async count(
    kinds: readonly TermKind[],
    word: string,
    scopes: readonly Scope[],
    most: number,
  ): Promise<number> {
    let count = 0;
    for (const scope of scopes)
      for (const kind of kinds) {
        if (count >= most) return count;
        const { index, equal } = stretchOf(kind, scope);
        const range = { equal, from: word, before: `${word}${LAST}`, limit: most - count };
        count += (await this.#terms.keys(index, range)).length;
      }
    return count;
  }

  /** Those that there are of these ids. */
  async getMany(ids: readonly string[]): Promise<readonly Term[]> {
    return this.#terms.getMany(ids);
  }

  /**
   * What leads to something from now on. Where anything changes all of it is written, so that what an older version wrote is complete
   * afterwards.
   * @param before nothing: it is new
   * @param after nothing: it is gone
   */
  changes(before: Terms | undefined, after: Terms | undefined): Change[] {
    if (before === undefined)
      return [...(after ?? [])].map(([id, term]) => this.#terms.write.insert(id, term));
    if (after !== undefined && sameTerms(before, after)) return [];
    return [
      ...[...before.keys()].filter((id) => after?.has(id) !== true).map((id) => this.#terms.write.delete(id)),
      ...this.complete(after ?? new Map()),
    ];
  }

  /** Writes what leads to something, whatever of it is there. */
  complete(terms: Terms): Change[] {
    return [...terms].map(([id, term]) => this.#terms.write.put(id, term));
  }

  /** The same for an image: what it was, and what it is from now on. */
  imageChanges(
    container: Container,
    id: string,
    before: ImageDocument | undefined,
    after: ImageDocument | undefined,
  ): Change[] {
    const of = (value: ImageDocument | undefined) => value && imageTerms({ id, value }, container);
    return this.changes(of(before), of(after));
  }
}

function sameTerms(a: Terms, b: Terms): boolean {
  return a.size === b.size && [...b].every(([id, term]) => sameTerm(a.get(id), term));
}

function stretchOf(kind: TermKind, { audience, entity }: Scope): { index: TermIndex; equal: string[] } {
  if (audience === undefined) return { index: 'byTerm', equal: [kind] };
  if (entity === undefined) return { index: 'byAudience', equal: [audience, kind] };
  return { index: 'byEntity', equal: [entity, audience, kind] };
}

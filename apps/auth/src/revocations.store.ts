import { Inject, Injectable } from '@nestjs/common';
import { z } from 'zod';
import { RevocationEntry } from '#libs/contract';
import { DomainError } from '#libs/core';
import type { Collection, CollectionSpec, Write } from '#libs/documents';
import { DATABASE, type Database } from './database.store.js';

const EntryDocument = z.object({
  sequence: z.number().int(),
  /** Only of entries that may be forgotten: with it they are in the index of the sweep. */
  until: z.number().int().optional(),
  entry: RevocationEntry,
});
type EntryDocument = z.infer<typeof EntryDocument>;
type Index = 'bySequence' | 'byUntil';
const ENTRIES = {
  name: 'revocations',
  schema: EntryDocument,
  indexes: { bySequence: { fields: ['sequence'], unique: true }, byUntil: { fields: ['until'] } },
} as const satisfies CollectionSpec<EntryDocument>;

const Counter = z.object({ head: z.number().int() });
type Counter = z.infer<typeof Counter>;
const COUNTERS = {
  name: 'counters',
  schema: Counter,
  indexes: {},
} as const satisfies CollectionSpec<Counter>;
const COUNTER = 'revocations';

const MAXIMUM_RACES = 20;

type Unnumbered<E> = E extends unknown ? Omit<E, 'sequence'> : never;
/** An entry that has no place in the feed yet. */
export type NewRevocation = Unnumbered<RevocationEntry>;

/** The feed of what ended. A sequence number is taken in the commit that writes the entry, so no reader can skip one. */
@Injectable()
export class RevocationsStore {
  readonly #database: Database;
  readonly #entries: Collection<EntryDocument, Index>;
  readonly #counters: Collection<Counter, never>;

  constructor(@Inject(DATABASE) database: Database) {
    this.#database = database;
    this.#entries = database.collection<EntryDocument, Index>(ENTRIES);
    this.#counters = database.collection<Counter, never>(COUNTERS);
  }

  /**
   * Appends an entry together with the change that it announces.
   * @param prepare looks at what is to be changed and returns the writes and the entry, or undefined when nothing is left to
   *   do; called again whenever somebody was faster
   * @throws DomainError `conflict` after many lost races
   */
  async append(
    prepare: () => Promise<{ readonly entry: NewRevocation; readonly writes: readonly Write[] } | undefined>,
  ): Promise<void> {
    for (let race = 0; race < MAXIMUM_RACES; race += 1) {
      const prepared = await prepare();
      if (prepared === undefined) return;
      const counter = await this.#counters.get(COUNTER);
      const sequence = (counter?.value.head ?? 0) + 1;
      const entry = RevocationEntry.parse({ ...prepared.entry, sequence });
      const result = await this.#database.commit([
        this.#entries.write.insert(String(sequence).padStart(16, '0'), {
          sequence,
          entry,
          ...(entry.kind === 'token' ? { until: entry.until } : {}),
        }),
        ...prepared.writes,
        counter === undefined
          ? this.#counters.write.insert(COUNTER, { head: sequence })
          : this.#counters.write.replace(COUNTER, counter.revision, { head: sequence }),
      ]);
      if (result.ok) return;
    }
    throw new DomainError('conflict', 'Too many changes at the same time');
  }

  /** The entries after `after` in order, and the highest sequence number that was there before they were read. */
  async after(after: number, limit: number): Promise<{ head: number; entries: RevocationEntry[] }> {
    // First the head: an entry that comes between the two reads is then delivered by the next question.
    const head = (await this.#counters.get(COUNTER))?.value.head ?? 0;
    const { items } = await this.#entries.scan('bySequence', { from: after + 1, before: head + 1, limit });
    return { head, entries: items.map((item) => item.value.entry) };
  }

  /** Forgets entries that nothing depends on after `now` (Unix seconds). @returns how many */
  async sweep(now: number, limit: number): Promise<number> {
    const { items } = await this.#entries.scan('byUntil', { before: now, limit });
    if (items.length > 0)
      await this.#database.commit(items.map((item) => this.#entries.write.delete(item.id)));
    return items.length;
  }
}

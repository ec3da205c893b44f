import { Inject, Injectable } from '@nestjs/common';
import { z } from 'zod';
import { RevocationEntry } from '#libs/contract';
import { DomainError } from '#libs/core';
import type { Collection, CollectionSpec, Write } from '#libs/documents';
import { DATABASE, type Database } from './database.store.js';
import { AUTH_LIMITS } from './limits.js';

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

type Unnumbered<E> = E extends unknown ? Omit<E, 'sequence'> : never;
/** An entry that has no place in the feed yet. */
type NewRevocation = Unnumbered<RevocationEntry>;

export interface Announcement {
  readonly entry: NewRevocation;
  /** The entry that this one replaces, and the Unix second after which nobody can still be in the middle of reading past it. */
  readonly supersedes?: { readonly sequence: number; readonly until: number } | undefined;
}

/** What one commit changes, and what the feed says about it: nothing where no other service has to know. */
export interface Change {
  readonly writes: readonly Write[];
  readonly announcements: readonly Announcement[];
}

/**
 * The feed of what ended and of what accounts may do. A sequence number is taken in the commit that writes the entry, so no
 * reader can skip one.
 */
@Injectable()
export class RevocationsStore {
  readonly #database: Database;
  readonly #entries: Collection<EntryDocument, Index>;
  readonly #counters: Collection<Counter, never>;
  /** Changes of this process one after the other: they would only lose races against each other. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(@Inject(DATABASE) database: Database) {
    this.#database = database;
    this.#entries = database.collection<EntryDocument, Index>(ENTRIES);
    this.#counters = database.collection<Counter, never>(COUNTERS);
  }

  /**
   * Commits a change together with what the feed says about it.
   * @param prepare looks at what is to be changed and returns it, or undefined when nothing is left to do; called again whenever
   *   somebody was faster, so it has to look again each time. It gets the sequence number of the first announcement.
   * @throws DomainError `conflict` after many lost races
   */
  commit(prepare: (next: number) => Promise<Change | undefined>): Promise<void> {
    const turn = this.#last.then(() => this.#commit(prepare));
    this.#last = turn.catch(() => undefined);
    return turn;
  }

  /**
   * The entries after `after` in order, at most `limit` and not much more than a page's bytes, and the highest sequence number
   * that was there before they were read.
   */
  async after(after: number, limit: number): Promise<{ head: number; entries: RevocationEntry[] }> {
    // First the head: an entry that comes between the two reads is then delivered by the next question.
    const head = (await this.#counters.get(COUNTER))?.value.head ?? 0;
    const { items } = await this.#entries.scan('bySequence', { from: after + 1, before: head + 1, limit });
    const entries: RevocationEntry[] = [];
    let bytes = 0;
    for (const { value } of items) {
      bytes += JSON.stringify(value.entry).length;
      if (entries.length > 0 && bytes > AUTH_LIMITS.feedBytes) break;
      entries.push(value.entry);
    }
    return { head, entries };
  }

  /** Forgets entries that nothing depends on after `now` (Unix seconds). @returns how many */
  async sweep(now: number, limit: number): Promise<number> {
    const { items } = await this.#entries.scan('byUntil', { before: now, limit });
    if (items.length > 0)
      await this.#database.commit(items.map((item) => this.#entries.write.delete(item.id)));
    return items.length;
  }

  async #commit(prepare: (next: number) => Promise<Change | undefined>): Promise<void> {
    for (let race = 0; race < AUTH_LIMITS.commitRaces; race += 1) {
      const counter = await this.#counters.get(COUNTER);
      const head = counter?.value.head ?? 0;
      const change = await prepare(head + 1);
      if (change === undefined) return;
      const { writes, announcements } = change;
      const told = await Promise.all(
        announcements.map((announcement, index) => this.#telling(announcement, head + 1 + index)),
      );
      const count = { head: head + announcements.length };
      const counted =
        counter === undefined
          ? this.#counters.write.insert(COUNTER, count)
          : this.#counters.write.replace(COUNTER, counter.revision, count);
      // The head last: where a commit is not atomic, nobody can see it before its entries are there.
      const result = await this.#database.commit([
        ...told.flat(),
        ...writes,
        ...(announcements.length === 0 ? [] : [counted]),
      ]);
      if (result.ok) return;
    }
    throw new DomainError('conflict', 'Too many changes at the same time');
  }

  async #telling({ entry: unnumbered, supersedes }: Announcement, sequence: number): Promise<Write[]> {
    const entry = RevocationEntry.parse({ ...unnumbered, sequence });
    const telling = this.#entries.write.insert(idOf(sequence), {
      sequence,
      entry,
      ...(entry.kind === 'token' ? { until: entry.until } : {}),
    });
    const old = supersedes === undefined ? undefined : await this.#entries.get(idOf(supersedes.sequence));
    if (old === undefined || supersedes === undefined) return [telling];
    // Deleted later: somebody who just read the head, and not yet the entries, would find neither of the two.
    const { until } = supersedes;
    return [telling, this.#entries.write.replace(old.id, old.revision, { ...old.value, until })];
  }
}

function idOf(sequence: number): string {
  return String(sequence).padStart(16, '0');
}

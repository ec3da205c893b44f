import { Inject, Injectable } from '@nestjs/common';
import type { KeyChange } from '#libs/contract';
import type { Collection } from '#libs/documents';
import {
  type ChangeDocument,
  type ChangeIndex,
  CHANGES,
  CHANGES_COUNTER,
  type Counter,
  COUNTERS,
} from './collections.store.js';
import { DATABASE, type Database } from './database.store.js';

/** A part of the feed. */
export interface ChangesPage {
  readonly changes: readonly KeyChange[];
  /** What to ask after next. */
  readonly next: number;
  readonly more: boolean;
}

/** The feed of changes as it is read; {@link CertificatesStore.change} writes it. */
@Injectable()
export class ChangesStore {
  /** Whether other processes write to it too. */
  readonly shared: boolean;
  readonly #changes: Collection<ChangeDocument, ChangeIndex>;
  readonly #counters: Collection<Counter, never>;

  constructor(@Inject(DATABASE) database: Database) {
    this.shared = database.driver === 'mongodb';
    this.#changes = database.collection<ChangeDocument, ChangeIndex>(CHANGES);
    this.#counters = database.collection<Counter, never>(COUNTERS);
  }

  /** The number of the last change. */
  async head(): Promise<number> {
    return (await this.#counters.get(CHANGES_COUNTER))?.value.head ?? 0;
  }

  /**
   * What changed after a number, in order. After a number that was never given, as after a database was put back, everything:
   * whoever asks has to begin anew.
   */
  async after(after: number, limit: number): Promise<ChangesPage> {
    // First the head: what comes between the two reads, or moves to the end, is delivered by the next question.
    const head = await this.head();
    const from = after > head ? 0 : after;
    const { items, cursor } = await this.#changes.scan('bySequence', {
      from: from + 1,
      before: head + 1,
      limit,
    });
    const changes = items.map(({ value }) => present(value));
    return { changes, next: changes.at(-1)?.sequence ?? from, more: cursor !== undefined };
  }

  /** What is known of some certificates and changed after a number, in order. */
  async of(fingerprints: readonly string[], after: number): Promise<ChangesPage> {
    const found = await this.#changes.getMany(fingerprints);
    const changes = found
      .map(({ value }) => present(value))
      .filter(({ sequence }) => sequence > after)
      .toSorted((a, b) => a.sequence - b.sequence);
    return { changes, next: changes.at(-1)?.sequence ?? after, more: false };
  }
}

function present({ sequence, fingerprint, state, at }: ChangeDocument): KeyChange {
  return { sequence, fingerprint, state, time: at };
}

import { DomainError } from '#libs/core';
import type { Collection, Documents, Stored, Write } from '#libs/documents';
import { CHANGES_COUNTER, type Counter, COUNTERS } from './collections.store.js';
import { LIMITS } from './limits.js';

/** What one change writes. Made anew for every attempt. */
export interface Prepared {
  /** Whether it takes a sequence number. */
  readonly numbered: boolean;
  /** How many certificates more there are by it: 1, 0 or -1. */
  readonly more: number;
  /** @param sequence the number that it takes */
  readonly writes: (sequence: number) => readonly Write[];
  /** Called when it is known whether it was written, and also when nobody knows: before anybody is told. */
  readonly settled?: () => void;
}

const tooManyWriters = (): DomainError =>
  new DomainError('conflict', 'Too many changes of keys at the same time, try again', {
    reason: 'too_many_writers',
  });

interface Waiting<Before> {
  readonly key: string;
  /** Undefined: nothing is left to do. */
  readonly prepare: (before: Before) => Promise<Prepared | undefined>;
  readonly resolve: (changed: boolean) => void;
  readonly reject: (error: unknown) => void;
}

interface Ready<Before> {
  readonly waiting: Waiting<Before>;
  readonly prepared: Prepared;
  readonly writes: readonly Write[];
}

/**
 * Commits changes one after the other, each with a sequence number that is taken in its commit by compare and set: whoever reads by
 * numbers skips none. What waits while a commit is under way shares the next one.
 */
export class Commits<Before> {
  readonly #database: Documents;
  readonly #counters: Collection<Counter, never>;
  readonly #load: (keys: readonly string[]) => Promise<ReadonlyMap<string, Before>>;
  #waiting: Waiting<Before>[] = [];
  #working = false;

  /** @param load reads what changes are decided by; called after the counter was read, so that nothing that comes later is missed */
  constructor(database: Documents, load: (keys: readonly string[]) => Promise<ReadonlyMap<string, Before>>) {
    this.#database = database;
    this.#counters = database.collection<Counter, never>(COUNTERS);
    this.#load = load;
  }

  /**
   * @param key what is changed: two changes of the same are not in one commit
   * @param prepare decides from what is there; called again whenever another process was faster
   * @returns whether there was anything to change
   * @throws DomainError `conflict` after many lost races, and whatever `prepare` throws
   */
  add(key: string, prepare: (before: Before) => Promise<Prepared | undefined>): Promise<boolean> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ key, prepare, resolve, reject });
      if (this.#working) return;
      this.#working = true;
      // What is asked for in the same turn goes together.
      queueMicrotask(() => void this.#work());
    });
  }

  /** The highest sequence number that was taken. */
  async head(): Promise<number> {
    return (await this.#counters.get(CHANGES_COUNTER))?.value.head ?? 0;
  }

  async #work(): Promise<void> {
    try {
      while (this.#waiting.length > 0) await this.#commitBatch(this.#next());
    } finally {
      this.#working = false;
    }
  }

  /** The first ones that wait, each key once, in order. */
  #next(): Waiting<Before>[] {
    const batch = new Map<string, Waiting<Before>>();
    const rest: Waiting<Before>[] = [];
    for (const one of this.#waiting)
      if (batch.size < LIMITS.changesAtOnce && !batch.has(one.key)) batch.set(one.key, one);
      else rest.push(one);
    this.#waiting = rest;
    return [...batch.values()];
  }

  async #commitBatch(batch: readonly Waiting<Before>[]): Promise<void> {
    let left = batch;
    try {
      for (let race = 0; left.length > 0; race += 1) {
        if (race >= LIMITS.commitRaces) throw tooManyWriters();
        const counter = await this.#counters.get(CHANGES_COUNTER);
        const before = await this.#load(left.map(({ key }) => key));
        const { ready, sequence } = this.#fitting(
          await this.#prepare(left, before),
          counter?.value.head ?? 0,
        );
        left = ready.map(({ waiting }) => waiting);
        const more = ready.reduce((sum, { prepared }) => sum + prepared.more, 0);
        if (ready.length > 0 && (await this.#write(ready, this.#counted(counter, sequence, more)))) {
          for (const { resolve } of left) resolve(true);
          return;
        }
      }
    } catch (error) {
      for (const { reject } of left) reject(error);
    }
  }

  #counted(counter: Stored<Counter> | undefined, head: number, more: number): Write {
    const { write } = this.#counters;
    if (counter === undefined) return write.insert(CHANGES_COUNTER, { head, keys: more });
    const { keys } = counter.value;
    // Also when the number stays: its revision tells other processes that something changed.
    return write.replace(CHANGES_COUNTER, counter.revision, {
      head,
      ...(keys !== undefined && { keys: keys + more }),
    });
  }

  async #write(ready: readonly Ready<Before>[], counted: Write): Promise<boolean> {
    try {
      // The counter last: where a commit is not atomic, nobody sees a number before what has it.
      return (await this.#database.commit([...ready.flatMap(({ writes }) => writes), counted])).ok;
    } finally {
      for (const { prepared } of ready) prepared.settled?.();
    }
  }

  /** Asks each what it would change. One that fails, or has nothing to do, ends here and holds nobody up. */
  async #prepare(
    batch: readonly Waiting<Before>[],
    before: ReadonlyMap<string, Before>,
  ): Promise<{ waiting: Waiting<Before>; prepared: Prepared }[]> {
    const all = await Promise.all(
      batch.map(async (waiting) => {
        try {
          const known = before.get(waiting.key);
          if (known === undefined) throw new Error(`Nothing was read for ${waiting.key}`);
          const prepared = await waiting.prepare(known);
          if (prepared === undefined) waiting.resolve(false);
          return prepared && { waiting, prepared };
        } catch (error) {
          waiting.reject(error);
          return undefined;
        }
      }),
    );
    return all.filter((one) => one !== undefined);
  }

  /** As many as one commit takes; the others wait for the next one. */
  #fitting(
    prepared: readonly { waiting: Waiting<Before>; prepared: Prepared }[],
    head: number,
  ): { ready: Ready<Before>[]; sequence: number } {
    const ready: Ready<Before>[] = [];
    const later: Waiting<Before>[] = [];
    let sequence = head;
    // One for the counter.
    let room = LIMITS.writes - 1;
    for (const one of prepared) {
      const next = one.prepared.numbered ? sequence + 1 : sequence;
      const writes = this.#writesOf(one, next);
      if (writes === undefined) continue;
      if (writes.length > room) {
        later.push(one.waiting);
        continue;
      }
      ready.push({ ...one, writes });
      room -= writes.length;
      sequence = next;
    }
    this.#waiting.unshift(...later);
    return { ready, sequence };
  }

  #writesOf(
    { waiting, prepared }: { waiting: Waiting<Before>; prepared: Prepared },
    sequence: number,
  ): readonly Write[] | undefined {
    try {
      const writes = prepared.writes(sequence);
      if (writes.length < LIMITS.writes) return writes;
      throw new DomainError('unprocessable', 'Too much of this key has changed at once', {
        reason: 'too_many_changes',
      });
    } catch (error) {
      waiting.reject(error);
      return undefined;
    }
  }
}

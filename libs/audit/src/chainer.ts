import type { AuditHead } from '#libs/contract';
import { type Clock, messageOf } from '#libs/core';
import type { Collection, Documents, Stored } from '#libs/documents';
import { BEGINNING, link } from './chain.js';
import { TRAIL_LIMITS } from './limits.js';
import {
  type AuditedServiceName,
  CHAIN,
  type ChainedRecord,
  type ChainIndex,
  HEAD,
  HEAD_ID,
  type HeadRecord,
  idOf,
  INBOX,
  type InboxIndex,
  WaitingRecord,
} from './records.js';

/** Where signed heads go: outside of the database. */
export interface HeadKeeper {
  /** Signs a head and keeps it. Durable when this resolves. */
  keep(head: AuditHead): Promise<void>;
  /** The newest head that was kept, if there is one. */
  newest(): Promise<Pick<AuditHead, 'sequence' | 'hash'> | undefined>;
}

export interface ChainerParts {
  readonly documents: Documents;
  readonly service: AuditedServiceName;
  readonly clock: Clock;
  readonly heads: HeadKeeper;
  /** Told in a sentence what an operator has to know. */
  readonly warn: (message: string) => void;
  /** Told of every entry that this chainer has put into the chain: each once, after its commit. */
  readonly onChained?: (entry: Pick<ChainedRecord, 'action' | 'outcome'>) => void;
}

type Limits = { readonly [Name in keyof typeof TRAIL_LIMITS]: number };

/**
 * Moves entries from the inbox into the chain, one batch in a commit, and has its heads signed. Several may be at work on one
 * database: the head's revision and the sequence number as id let one of them win, and the others go on behind it.
 */
export class Chainer {
  readonly #parts: ChainerParts;
  readonly #limits: Limits;
  readonly #inbox: Collection<WaitingRecord, InboxIndex>;
  readonly #chain: Collection<ChainedRecord, ChainIndex>;
  readonly #heads: Collection<HeadRecord, never>;
  /** Waiting documents that are no entries. They stay where they are. */
  readonly #strange = new Set<string>();
  /** The last head that this process has seen or made. */
  #known: HeadRecord | undefined;
  #kept = 0;
  #keptAt = Number.NEGATIVE_INFINITY;
  #noted = Number.NEGATIVE_INFINITY;
  #running: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #due = Number.POSITIVE_INFINITY;
  #stopped = false;
  #failing = false;

  constructor(parts: ChainerParts, limits: Limits = TRAIL_LIMITS) {
    const { documents } = parts;
    this.#parts = parts;
    this.#limits = limits;
    this.#inbox = documents.collection<WaitingRecord, InboxIndex>(INBOX);
    this.#chain = documents.collection<ChainedRecord, ChainIndex>(CHAIN);
    this.#heads = documents.collection<HeadRecord, never>(HEAD);
  }

  /** Chains what an earlier process left, compares the end of the chain with the newest signed head, and goes on from there. */
  async start(): Promise<void> {
    await this.#compareWithKept().catch((error: unknown) => this.#report(error));
    await this.#round(true);
  }

  /** An entry is about to be committed: look soon. */
  note(): void {
    this.#noted = performance.now();
    this.#schedule(this.#limits.busy);
  }

  /** Chains everything that is in the inbox now and signs the head. Rejects when that does not work. */
  async settle(): Promise<void> {
    await this.#running;
    await this.#chainAll();
    await this.#keepHead();
  }

  /** The last look; the database may be closed afterwards. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#running;
    await this.settle().catch((error: unknown) => this.#report(error));
  }

  #schedule(delay: number): void {
    const due = performance.now() + delay;
    if (this.#stopped || due >= this.#due) return;
    clearTimeout(this.#timer);
    this.#due = due;
    this.#timer = setTimeout(() => void this.#round(false), delay);
    // The end of a process settles everything by itself.
    this.#timer.unref();
  }

  #round(now: boolean): Promise<void> {
    this.#due = Number.POSITIVE_INFINITY;
    this.#running ??= this.#work(now).finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async #work(now: boolean): Promise<void> {
    let moved = 0;
    try {
      moved = await this.#chainAll();
      if (now || performance.now() - this.#keptAt >= this.#limits.headEvery) await this.#keepHead();
      this.#report(undefined);
    } catch (error) {
      this.#report(error);
    }
    const { busy, settle, idle, headEvery } = this.#limits;
    const recent = performance.now() - this.#noted < settle;
    this.#schedule(moved > 0 || recent || this.#failing ? busy : idle);
    const unsigned = this.#known !== undefined && this.#known.sequence > this.#kept;
    if (unsigned) this.#schedule(Math.max(this.#keptAt + headEvery - performance.now(), 1));
  }

  /** @returns how many entries were moved. @throws Error when it comes to nothing again and again */
  async #chainAll(): Promise<number> {
    let moved = 0;
    for (let attempt = 0; attempt < this.#limits.attempts; attempt += 1) {
      const waiting = await this.#waiting();
      if (waiting.length === 0) return moved;
      if (!(await this.#chainBatch(waiting))) continue;
      moved += waiting.length;
      attempt = -1;
    }
    throw new Error('something else in the database has their place');
  }

  /** @returns false when another chainer was faster */
  async #chainBatch(waiting: readonly Stored<WaitingRecord>[]): Promise<boolean> {
    const stored = await this.#heads.get(HEAD_ID);
    const before = stored?.value ?? BEGINNING;
    this.#warnOfLoss(before);
    const { records, head } = link(
      before,
      waiting.map(({ value }) => value),
    );
    const result = await this.#parts.documents.commit([
      // First, so that whoever is slower has changed nothing.
      stored === undefined
        ? this.#heads.write.insert(HEAD_ID, head)
        : this.#heads.write.replace(HEAD_ID, stored.revision, head),
      ...waiting.map(({ id, revision }) => this.#inbox.write.delete(id, revision)),
      ...records.map((record) => this.#chain.write.insert(idOf(record.sequence), record)),
    ]);
    if (result.ok) {
      this.#known = head;
      for (const record of records) this.#parts.onChained?.(record);
    } else if (result.because === 'exists' && result.failed > 0) await this.#followChain(stored);
    return result.ok;
  }

  /** In the order of time and id. */
  async #waiting(): Promise<readonly Stored<WaitingRecord>[]> {
    const limit = this.#limits.batch + this.#strange.size;
    const { items } = await this.#inbox.scan('byTime', { limit: Math.min(limit, 1000) });
    const good = items.filter(({ id, value }) => {
      if (WaitingRecord.safeParse(value).success) return true;
      if (!this.#strange.has(id))
        this.#warn(`A document of the audit inbox is no entry and stays there: ${id}. Somebody wrote it.`);
      this.#strange.add(id);
      return false;
    });
    return good.slice(0, this.#limits.batch);
  }

  /**
   * The chain goes on behind the head: somebody has changed the head. The entries are what counts; verification finds out what was
   * done to them.
   */
  async #followChain(stored: Stored<HeadRecord> | undefined): Promise<void> {
    const { items } = await this.#chain.scan('bySequence', { direction: 'descending', limit: 1 });
    const [last] = items;
    if (last === undefined || last.value.sequence <= (stored?.value.sequence ?? 0)) return;
    const { sequence, hash } = last.value;
    this.#warn(`The head of the audit trail was changed: it goes on behind its last entry, ${sequence}`);
    if (stored === undefined) await this.#heads.insert(HEAD_ID, { sequence, hash });
    else await this.#heads.replace(HEAD_ID, stored.revision, { sequence, hash });
  }

  async #compareWithKept(): Promise<void> {
    const newest = await this.#parts.heads.newest();
    if (newest === undefined) return;
    this.#known = { sequence: newest.sequence, hash: newest.hash };
    this.#kept = newest.sequence;
    this.#warnOfLoss((await this.#heads.get(HEAD_ID))?.value ?? BEGINNING);
  }

  #warnOfLoss(head: HeadRecord): void {
    const known = this.#known;
    this.#known = head;
    if (known === undefined || head.sequence > known.sequence) return;
    if (head.sequence === known.sequence && head.hash === known.hash) return;
    this.#warn(
      `The audit trail ends at ${head.sequence} and is another one than at ${known.sequence}, which was signed: ` +
        `entries were changed or removed, or an older backup was restored`,
    );
  }

  async #keepHead(): Promise<void> {
    const head = (await this.#heads.get(HEAD_ID))?.value;
    // What is behind a signed head is signed by nobody, whoever put it there.
    if (head === undefined || head.sequence <= this.#kept) return;
    const { service, clock, heads } = this.#parts;
    await heads.keep({ service, ...head, time: clock.now().toISOString() });
    this.#kept = head.sequence;
    this.#keptAt = performance.now();
  }

  #warn(message: string): void {
    this.#parts.warn(`${message} Run scs audit verify.`);
  }

  #report(error: unknown): void {
    if (error !== undefined && !this.#failing)
      this.#parts.warn(`Entries of the audit trail wait in the inbox, because ${messageOf(error)}`);
    if (error === undefined && this.#failing) this.#parts.warn('The audit trail goes on');
    this.#failing = error !== undefined;
  }
}

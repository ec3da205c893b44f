import type { AuditHeadLine, SigningJwk } from '#libs/contract';
import type { Problem } from './problems.js';
import { HeadCheck } from './signed-head.js';
import type { TrailSource } from './source.js';

/** A head whose signature is right, and where it stands. */
export interface TrustedHead {
  readonly sequence: number;
  readonly hash: string;
  /** For people: `the signed head in line 7`. */
  readonly origin: string;
}

/** The signed heads of a service in the order of the entries that they speak of, read as far as they are needed. */
export class HeadFeed {
  /** Lines that are no heads of this service. */
  readonly problems: Problem[] = [];
  /** Heads of entries that had been passed when they came. */
  readonly late: TrustedHead[] = [];
  readonly #service: string;
  readonly #check: HeadCheck;
  readonly #lines: AsyncIterator<AuditHeadLine>;
  readonly #copies: readonly AuditHeadLine[];
  #waiting: TrustedHead[] | undefined;
  #passed = 0;
  #seen = 0;
  #ended = false;

  constructor(source: TrailSource, keys: readonly SigningJwk[], copies: readonly AuditHeadLine[]) {
    this.#service = source.service;
    this.#check = new HeadCheck(keys);
    this.#lines = source.heads()[Symbol.asyncIterator]();
    // A file of copies has those of every service.
    this.#copies = copies.filter(({ service }) => service === source.service);
  }

  /** The heads of entries behind those of the last call, up to `sequence`. */
  async upTo(sequence: number): Promise<readonly TrustedHead[]> {
    const waiting = await this.#readBeyond(sequence);
    this.#passed = sequence;
    const ready = waiting.filter((head) => head.sequence <= sequence);
    if (ready.length > 0) this.#waiting = waiting.filter((head) => head.sequence > sequence);
    return ready.toSorted((a, b) => a.sequence - b.sequence);
  }

  /** Whether there is a head of an entry behind `sequence`. */
  async goesBeyond(sequence: number): Promise<boolean> {
    return (await this.#readBeyond(sequence)).some((head) => head.sequence > sequence);
  }

  async #readBeyond(sequence: number): Promise<TrustedHead[]> {
    this.#waiting ??= await this.#copied();
    while (!this.#ended && this.#seen <= sequence) await this.#read(this.#waiting);
    return this.#waiting;
  }

  async #copied(): Promise<TrustedHead[]> {
    const heads: TrustedHead[] = [];
    for (const line of this.#copies) {
      const head = await this.#trusted(line, `the copy in line ${line.line}`);
      if (head !== undefined) heads.push(head);
    }
    return heads;
  }

  async #read(waiting: TrustedHead[]): Promise<void> {
    const { done, value } = await this.#lines.next();
    this.#ended = done === true;
    if (done === true) return;
    const head = await this.#trusted(value, `the signed head in line ${value.line}`);
    if (head === undefined) return;
    this.#seen = Math.max(this.#seen, head.sequence);
    (head.sequence > this.#passed ? waiting : this.late).push(head);
  }

  async #trusted(line: AuditHeadLine, origin: string): Promise<TrustedHead | undefined> {
    const { sequence, hash, signed } = line;
    if (signed === '') return this.#refuse('head_damaged', 0, `${capital(origin)} is damaged`);
    const checked = await this.#check.check(signed);
    if (!checked.good)
      return this.#refuse('head_forged', 0, `${capital(origin)} is forged or damaged: ${checked.why}`);
    const { head } = checked;
    if (head.service !== this.#service)
      return this.#refuse('head_foreign', 0, `${capital(origin)} belongs to ${head.service}`);
    if (head.sequence !== sequence || head.hash !== hash)
      return this.#refuse('head_forged', head.sequence, `${capital(origin)} was changed`);
    return { sequence, hash, origin };
  }

  #refuse(kind: Problem['kind'], sequence: number, message: string): undefined {
    this.problems.push({ kind, sequence, message });
  }
}

function capital(text: string): string {
  return `${text[0]?.toUpperCase() ?? ''}${text.slice(1)}`;
}

import type { AuditEntry, AuditHeadLine } from '#libs/contract';
import { BEGINNING, hashOf } from './chain.js';
import { HeadFeed, type TrustedHead } from './head-feed.js';
import { TRAIL_LIMITS } from './limits.js';
import type { Problem, ProblemKind, TrailReport } from './problems.js';
import type { HeadRecord } from './records.js';
import type { TrailSource } from './source.js';

export interface VerifyOptions {
  /** Heads that were kept elsewhere. */
  readonly copies?: readonly AuditHeadLine[];
  /** The time now, for an instance that runs: what it did a minute ago has been signed. */
  readonly now?: Date;
  /** Called now and then with the number of entries that were read. */
  readonly onProgress?: (entries: number) => void;
}

/** The report of a trail that cannot be read. @param why one sentence */
export function unreadTrail(service: string, why: string): TrailReport {
  return {
    service,
    last: BEGINNING,
    heads: 0,
    signedUpTo: 0,
    problems: [problem('unreadable', 0, `It cannot be read: ${why}`)],
  };
}

/** Problems of heads that are told; more of the same help nobody. */
const MOST_HEAD_PROBLEMS = 5;
const PROGRESS = 1000;

/**
 * Computes the chain of a service anew, compares it with every signed head, and says what is wrong: of the chain the first fault
 * only, because everything behind it depends on it.
 */
export async function verifyTrail(source: TrailSource, options: VerifyOptions = {}): Promise<TrailReport> {
  const feed = new HeadFeed(source, await source.keys(), options.copies ?? []);
  const walk = new Walk(source.service, feed);
  let fault: Problem | undefined;
  for (let isAgain = false; ; isAgain = true) {
    const from = walk.last.sequence;
    for await (const entry of source.entries(from)) {
      fault = await walk.step(entry);
      if (fault !== undefined) break;
      if (walk.last.sequence % PROGRESS === 0) options.onProgress?.(walk.last.sequence);
    }
    // An instance that runs goes on: of what a head tells that was read after the entries, there may be entries by now.
    const grows = !isAgain || walk.last.sequence > from;
    if (fault !== undefined || !grows || !(await feed.goesBeyond(walk.last.sequence))) break;
  }
  fault ??= await walk.end();
  fault ??= await compareLate(source, feed, walk);
  fault ??= walk.unsigned(options.now);
  return {
    service: source.service,
    last: walk.last,
    heads: walk.agreed,
    signedUpTo: walk.signedUpTo,
    problems: [...(fault === undefined ? [] : [fault]), ...feed.problems.slice(0, MOST_HEAD_PROBLEMS)],
  };
}

/** Goes along the chain, and along the signed heads beside it. */
class Walk {
  readonly #service: string;
  readonly #feed: HeadFeed;
  last: HeadRecord = BEGINNING;
  agreed = 0;
  signedUpTo = 0;
  #firstUnsigned: string | undefined;
  #lastTime = '';

  constructor(service: string, feed: HeadFeed) {
    this.#service = service;
    this.#feed = feed;
  }

  async step(entry: AuditEntry): Promise<Problem | undefined> {
    const { sequence, hash, time } = entry;
    const fault = this.#fault(entry);
    if (fault !== undefined) return fault;
    this.last = { sequence, hash };
    this.#lastTime = time;
    this.#firstUnsigned ??= time;
    for (const head of await this.#feed.upTo(sequence)) {
      const disagreement = this.compare(head, hash);
      if (disagreement !== undefined) return disagreement;
      this.#firstUnsigned = undefined;
    }
    return undefined;
  }

  compare(head: TrustedHead, hash: string): Problem | undefined {
    if (head.hash === hash) {
      this.agreed += 1;
      this.signedUpTo = Math.max(this.signedUpTo, head.sequence);
      return undefined;
    }
    const { sequence } = head;
    return problem(
      'rewritten',
      sequence,
      `Entries were replaced between ${this.signedUpTo + 1} and ${sequence}: ${head.origin} says another hash for ${sequence}`,
    );
  }

  /** What signed heads say beyond the end. */
  async end(): Promise<Problem | undefined> {
    const [head] = await this.#feed.upTo(Number.POSITIVE_INFINITY);
    if (head === undefined) return undefined;
    const { sequence } = this.last;
    return problem(
      'cut',
      sequence + 1,
      `The end is missing: the trail ends at ${sequence}, and ${head.origin} says that there was an entry ${head.sequence}`,
    );
  }

  /** Heads follow entries within a second. Where they do not, lines are missing at the end of their file. */
  unsigned(now: Date | undefined): Problem | undefined {
    if (this.#firstUnsigned === undefined) return undefined;
    const late = (now?.getTime() ?? Date.parse(this.#lastTime)) - Date.parse(this.#firstUnsigned);
    if (!(late > TRAIL_LIMITS.headLate)) return undefined;
    return problem(
      'heads_missing',
      this.signedUpTo + 1,
      `Signed heads are missing from entry ${this.signedUpTo + 1} on: the file of heads was cut, or could not be written`,
    );
  }

  #fault(entry: AuditEntry): Problem | undefined {
    const { sequence, previous, hash } = entry;
    const next = this.last.sequence + 1;
    if (entry.service !== this.#service)
      return problem('foreign', next, `Entry ${sequence} belongs to another service: ${entry.service}`);
    if (sequence > next) {
      const missing =
        sequence - 1 === next ? `Entry ${next} is missing` : `Entries ${next} to ${sequence - 1} are missing`;
      return problem('missing', next, missing);
    }
    if (sequence < next) return problem('forked', sequence, `There are two entries ${sequence}`);
    if (hashOf(entry) !== hash) return problem('edited', sequence, `Entry ${sequence} was changed`);
    if (previous !== this.last.hash)
      return problem(
        'forked',
        sequence,
        `Entry ${sequence} does not follow entry ${sequence - 1}: one of the two was replaced`,
      );
    return undefined;
  }
}

/** Heads that came too late in their file, as when two replicas write to it: each is compared by itself. */
async function compareLate(source: TrailSource, feed: HeadFeed, walk: Walk): Promise<Problem | undefined> {
  for (const head of feed.late) {
    for await (const entry of source.entries(head.sequence - 1)) {
      const fault = walk.compare(head, entry.hash);
      if (fault !== undefined) return fault;
      break;
    }
  }
  return undefined;
}

function problem(kind: ProblemKind, sequence: number, message: string): Problem {
  return { kind, sequence, message };
}

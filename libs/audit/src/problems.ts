import type { HeadRecord } from './records.js';

/**
 * What can be wrong with a trail. The first four are found in the chain itself, `rewritten`, `cut` and `heads_missing` by comparing
 * it with signed heads, the others are wrong heads.
 */
export type ProblemKind =
  | 'edited'
  | 'missing'
  | 'forked'
  | 'foreign'
  | 'rewritten'
  | 'cut'
  | 'heads_missing'
  | 'head_damaged'
  | 'head_forged'
  | 'head_foreign'
  | 'unreadable';

export interface Problem {
  readonly kind: ProblemKind;
  /** The entry where it shows; 0 for a head that says nothing about one. */
  readonly sequence: number;
  /** One sentence. */
  readonly message: string;
}

export interface TrailReport {
  readonly service: string;
  /** The end of the chain, or the last entry before the first problem: every entry up to it follows the one before. */
  readonly last: HeadRecord;
  /** Signed heads that agree with the chain. */
  readonly heads: number;
  /** The newest of them; what is behind it can be removed unseen. */
  readonly signedUpTo: number;
  /** Empty when all is well. */
  readonly problems: readonly Problem[];
}

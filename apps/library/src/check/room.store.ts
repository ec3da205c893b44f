import type { AuditEvent, Caller, Trail } from '#libs/audit';
import type { BlobStore } from '#libs/blobs';
import type { LibraryProblem } from '#libs/contract';
import type { Clock } from '#libs/core';
import type { Documents, Write } from '#libs/documents';
import { repaired } from '../events.js';
import type { LibraryLimits } from '../limits.js';
import type { BlobHealth } from '../storage/blobHealth.store.js';
import { type Look, settled } from './look.js';
import type { Tables } from './tables.store.js';

/** What the parts of a check work with. */
export interface CheckParts {
  readonly database: Documents;
  readonly tables: Tables;
  readonly blobs: BlobStore;
  readonly health: BlobHealth;
  readonly trail: Trail;
  readonly clock: Clock;
  readonly limits: LibraryLimits;
}

/** A difference, and the writes that end it; none where only a push, or a person, can. */
export interface Difference {
  readonly problem: Omit<LibraryProblem, 'repaired'>;
  readonly subject: AuditEvent['subject']['kind'];
  readonly mend?: readonly Write[];
}

/** What a look at one thing has shown. */
export interface Shown {
  readonly differences: readonly Difference[];
  /** What is left to do when the writes were committed. */
  readonly afterwards?: () => Promise<void>;
}

/** Something that looked different at a first look, and how to look at it again by itself. */
export interface Suspect {
  readonly name: string;
  readonly look: (look: Look) => Promise<Shown>;
}

/** A part of one walk. */
export interface Walked {
  readonly objects?: number;
  readonly images?: number;
  readonly blobs?: number;
  readonly bytes?: Readonly<Partial<Record<'documents' | 'store' | 'hashed', number>>>;
  readonly suspects: readonly Suspect[];
  /** A blob that takes longer: the same place again. */
  readonly hashing?: { readonly hash: string; readonly done: number; readonly size: number };
  /** Where to go on; undefined at the end. */
  readonly next: string | undefined;
}

export interface CheckOptions {
  readonly repair: boolean;
  readonly rehash: boolean;
  /** Who repairs; null for whoever has the files themselves. */
  readonly actor: Caller | null;
}

/** One thing after the other that is compared. */
export interface Walk {
  readonly name: string;
  /** @param from where to go on; undefined: from the beginning */
  readonly part: (from: string | undefined, options: CheckOptions) => Promise<Walked>;
}

/**
 * Looks at a suspect until what it shows has stood still for a moment, and puts it right if that is wanted: with a commit that fails
 * when any of it was changed since, upon which it is looked at again.
 * @returns undefined when it is being changed all the time
 */
export async function confirm(
  { database, trail, limits }: CheckParts,
  suspect: Suspect,
  { repair, actor }: CheckOptions,
): Promise<LibraryProblem[] | undefined> {
  for (let attempt = 0; ; attempt += 1) {
    const shown = await settled(limits.checkAttempts, suspect.look);
    if (shown === undefined) return undefined;
    const mended: Difference[] = [];
    const writes: Write[] = [];
    for (const difference of repair ? shown.differences : []) {
      const { mend, problem, subject: kind } = difference;
      if (mend === undefined || writes.length + mend.length + 1 > limits.repairWrites) continue;
      const subject = { kind, name: asSubject(problem.name) };
      const { recorded, counted } = problem;
      writes.push(...mend, trail.write(repaired({ kind: problem.kind, subject, recorded, counted, actor })));
      mended.push(difference);
    }
    const isDone = writes.length === 0 || (await database.commit(writes)).ok;
    if (isDone && writes.length > 0) await shown.afterwards?.();
    if (!isDone && attempt < limits.repairAttempts) continue;
    return shown.differences.map((difference) => ({
      ...difference.problem,
      repaired: isDone && mended.includes(difference),
    }));
  }
}

/** Names of damaged documents may be anything; those of the trail are visible ASCII. */
function asSubject(name: string): string {
  return name.replaceAll(/[^\u0021-\u007e]/g, '?').slice(0, 1000) || '?';
}

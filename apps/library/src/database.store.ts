import { setTimeout as delay } from 'node:timers/promises';
import { DomainError } from '#libs/core';
import type { Documents, Write } from '#libs/documents';
import { LIMITS } from './limits.js';

/** Injection token of the library's own database. */
export const DATABASE = Symbol('library database');
export type Database = Documents;
/** One write of a commit, as stores make them. */
export type Change = Write;

/** What to write, or that there is nothing to do. `refused` looks at a refusal that trying again would not change. */
export interface Plan<T> {
  readonly writes: readonly Change[];
  /** What {@link commitPlan} returns when the writes were applied. */
  readonly result: T;
  /** Called when a bound was hit: throws what the caller should see. Without it a bound is tried again. */
  readonly onBounds?: (index: number) => never;
}

/** Thrown inside a plan to look again a moment later: something is just being removed. */
export class TryAgain extends Error {}

/**
 * Reads, decides and writes until nobody was faster: `make` reads what it needs and says what to write.
 * @throws DomainError `conflict` after many lost races; whatever `make` throws
 */
export async function commitPlan<T>(database: Database, make: () => Promise<Plan<T>>): Promise<T> {
  for (let attempt = 0; attempt < LIMITS.commitAttempts; attempt += 1) {
    let plan: Plan<T>;
    try {
      plan = await make();
    } catch (error) {
      if (!(error instanceof TryAgain)) throw error;
      await delay(LIMITS.removalWait);
      continue;
    }
    if (plan.writes.length === 0) return plan.result;
    const outcome = await database.commit(plan.writes);
    if (outcome.ok) return plan.result;
    if (outcome.because === 'bounds') plan.onBounds?.(outcome.failed);
  }
  throw new DomainError('conflict', 'Too many others are changing the same object: try again', {
    reason: 'busy',
  });
}

import { hash } from 'node:crypto';
import { z } from 'zod';
import type { Collection, CollectionSpec, Documents } from '#libs/documents';

export type { Documents };

const Used = z.object({
  /** Unix seconds after which it is refused for its age, everywhere, and may be forgotten. */
  until: z.number().int(),
});
type Used = z.infer<typeof Used>;

const USED = {
  name: 'usedAssertions',
  schema: Used,
  indexes: { byUntil: { fields: ['until'] } },
} as const satisfies CollectionSpec<Used>;

/** Old ones are looked for this often, in seconds, and removed as many at once. */
const SWEEP = { every: 60, batch: 500 } as const;

/**
 * Which client assertions were used, in the database of the service that checks them: all processes that share it know, also
 * one that was started a moment ago.
 */
export class UsedAssertions {
  readonly #documents: Documents;
  readonly #used: Collection<Used, 'byUntil'>;
  #swept = 0;

  constructor(documents: Documents) {
    this.#documents = documents;
    this.#used = documents.collection<Used, 'byUntil'>(USED);
  }

  /**
   * Remembers one, durably when this resolves.
   * @param id of the assertion, of any shape and length
   * @param now Unix seconds
   * @returns false when it was used before, by whichever process
   * @throws DomainError `unavailable` when the database does not answer: then nobody knows
   */
  async use(id: string, { now, until }: { readonly now: number; readonly until: number }): Promise<boolean> {
    await this.#sweep(now);
    return (await this.#used.insert(hash('sha256', id), { until })) === 'inserted';
  }

  /** Once a minute, and again at once as long as a whole batch was there: as fast as new ones can come. */
  async #sweep(now: number): Promise<void> {
    if (now - this.#swept < SWEEP.every) return;
    this.#swept = now;
    const old = await this.#used.keys('byUntil', { before: now, limit: SWEEP.batch });
    if (old.length > 0) await this.#documents.commit(old.map(({ id }) => this.#used.write.delete(id)));
    if (old.length === SWEEP.batch) this.#swept = 0;
  }
}

import type { AudienceName, AuditEntry } from '#libs/contract';

export interface ListedTrail {
  readonly service: AudienceName;
  /** Newest first. */
  readonly entries: AsyncIterable<AuditEntry>;
}

interface Head {
  readonly trail: ListedTrail;
  readonly iterator: AsyncIterator<AuditEntry>;
  entry: AuditEntry | undefined;
}

/**
 * The newest `limit` entries of several trails.
 * @param onFailure told of a trail that cannot be read; the others go on
 */
export async function newestFirst(
  trails: readonly ListedTrail[],
  limit: number,
  onFailure: (service: AudienceName, error: unknown) => void,
): Promise<AuditEntry[]> {
  const heads: Head[] = trails.map((trail) => ({
    trail,
    iterator: trail.entries[Symbol.asyncIterator](),
    entry: undefined,
  }));
  const advance = async (head: Head): Promise<void> => {
    try {
      const { done, value } = await head.iterator.next();
      head.entry = done === true ? undefined : value;
    } catch (error) {
      head.entry = undefined;
      onFailure(head.trail.service, error);
    }
  };
  await Promise.all(heads.map(advance));
  const entries: AuditEntry[] = [];
  while (entries.length < limit) {
    const newest = heads
      .filter((head) => head.entry !== undefined)
      .toSorted((a, b) => ((a.entry?.time ?? '') < (b.entry?.time ?? '') ? 1 : -1))[0];
    if (newest?.entry === undefined) break;
    entries.push(newest.entry);
    await advance(newest);
  }
  await Promise.all(heads.map(async ({ iterator }) => await iterator.return?.()));
  return entries;
}

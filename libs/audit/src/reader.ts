import type { AuditEntry, AuditFilter } from '#libs/contract';
import type { Collection, Documents } from '#libs/documents';
import { TRAIL_LIMITS } from './limits.js';
import { CHAIN, type ChainedRecord, type ChainIndex, entryOf, splitName } from './records.js';

/** An entry with its place in the list: places sort by time, and no two of a service are equal. */
export interface Listed {
  readonly place: string;
  readonly entry: AuditEntry;
}

export interface ListedPage {
  /** Newest first. */
  readonly listed: readonly Listed[];
  /** How far it was looked, when there is more behind. */
  readonly reached?: string;
}

export interface ChainPage {
  readonly entries: readonly AuditEntry[];
  readonly cursor?: string;
}

/** Reads the trail of one service. */
export class TrailReader {
  readonly #chain: Collection<ChainedRecord, ChainIndex>;

  constructor(documents: Documents) {
    this.#chain = documents.collection<ChainedRecord, ChainIndex>(CHAIN);
  }

  /**
   * Entries that pass a filter, newest first. A page is shorter than the limit when much had to be looked at for it.
   * @param below goes on behind a place of an earlier page
   */
  async list(filter: AuditFilter, limit: number, below?: string): Promise<ListedPage> {
    const { since, until } = filter;
    const before = [until, below].filter((bound) => bound !== undefined).toSorted()[0];
    const [index, equal] = indexFor(filter);
    const { items, cursor } = await this.#chain.scan(index, {
      equal,
      direction: 'descending',
      limit: isExact(filter) ? limit : TRAIL_LIMITS.scanned,
      ...(since === undefined ? {} : { from: since }),
      ...(before === undefined ? {} : { before }),
    });
    const listed: Listed[] = [];
    let looked = 0;
    for (const { value } of items) {
      if (listed.length === limit) break;
      looked += 1;
      if (passes(value, filter)) listed.push({ place: value.order, entry: entryOf(value) });
    }
    const reached = items[looked - 1]?.value.order;
    const more = cursor !== undefined || looked < items.length;
    return { listed, ...(more && reached !== undefined ? { reached } : {}) };
  }

  /** The chain in its own order, from the entry that follows `after` on, or from a cursor of an earlier page. */
  async chain(after: number, limit: number, cursor?: string): Promise<ChainPage> {
    const page = await this.#chain.scan('bySequence', {
      from: after + 1,
      limit,
      ...(cursor === undefined ? {} : { cursor }),
    });
    return {
      entries: page.items.map(({ value }) => entryOf(value)),
      ...(page.cursor === undefined ? {} : { cursor: page.cursor }),
    };
  }
}

function indexFor({ actor, subject }: AuditFilter): [ChainIndex, string[]] {
  if (actor !== undefined) return ['byActor', [actor]];
  if (subject !== undefined) return ['bySubject', [splitName(subject).name]];
  return ['byTime', []];
}

/** Whether the index finds nothing that the filter would leave out. */
function isExact({ action, outcome, actor, subject }: AuditFilter): boolean {
  if (action !== undefined || outcome !== undefined) return false;
  if (subject === undefined) return true;
  return actor === undefined && splitName(subject).part === '';
}

function passes(record: ChainedRecord, { action, outcome, actor, subject }: AuditFilter): boolean {
  const wanted = subject === undefined ? undefined : splitName(subject);
  return (
    (action === undefined || record.action === action) &&
    (outcome === undefined || record.outcome === outcome) &&
    (actor === undefined || record.username === actor) &&
    (wanted === undefined || record.subject === wanted.name) &&
    (wanted === undefined || wanted.part === '' || record.part === wanted.part)
  );
}

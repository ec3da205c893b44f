import type { RemoteTrail } from '#libs/client';
import type { AudienceName, AuditEntry, AuditFilter, AuditHeadLine } from '#libs/contract';

/** The trail of one service, wherever it is read from. */
export interface OpenedTrail {
  readonly service: AudienceName;
  readonly source: RemoteTrail;
  /** Entries that pass a filter, newest first. @param limit how many are wanted; more may come */
  readonly list: (filter: AuditFilter, limit: number) => AsyncIterable<AuditEntry>;
  /** The last signed head; none when nothing has happened yet. */
  readonly newestHeads: () => Promise<readonly AuditHeadLine[]>;
}

import type { AuditEntry, AuditHeadLine, SigningJwk } from '#libs/contract';
import type { AuditedServiceName } from './records.js';

/** The trail of one service as verification reads it: over HTTP, or from the database of an instance that is stopped. */
export interface TrailSource {
  readonly service: AuditedServiceName;
  /** The public keys that sign its heads. */
  keys(): Promise<readonly SigningJwk[]>;
  /** The chain in the order of its sequence numbers, from the one that follows `after` on. */
  entries(after: number): AsyncIterable<AuditEntry>;
  /** The signed heads in the order of their file. */
  heads(): AsyncIterable<AuditHeadLine>;
}

/** What passes between the service's thread and the writer thread. Types only: the writer is loaded on its own. */

import type { DriverCommit, Increment } from '../driver.js';
import type { IndexValue } from '../port.js';

interface TableSql {
  readonly create: string;
  readonly select: string;
  readonly insert: string;
  readonly put: string;
  readonly replace: string;
  readonly overwrite: string;
  readonly delete: string;
  readonly deleteRevision: string;
}

export interface Declaration {
  readonly table: string;
  /** Field and column of every indexed field, in the order of `WriteMessage.keys`. */
  readonly columns: readonly { readonly field: string; readonly column: string }[];
  readonly indexes: readonly { readonly name: string; readonly sql: string }[];
  readonly sql: TableSql;
}

export interface WriteMessage {
  readonly table: string;
  readonly kind: 'insert' | 'put' | 'replace' | 'delete' | 'increment';
  readonly id: string;
  readonly json?: string;
  readonly keys?: readonly (IndexValue | null)[];
  readonly revision?: number;
  readonly increment?: Increment;
}

export type WriterRequest =
  | { readonly kind: 'declare'; readonly declaration: Declaration }
  | { readonly kind: 'commit'; readonly writes: readonly WriteMessage[] }
  | { readonly kind: 'close' };

/** Requests of one tick, each with the number under which its reply comes. */
export type WriterBatch = readonly { readonly number: number; readonly request: WriterRequest }[];

export interface WriterFailure {
  readonly message: string;
  readonly code: string;
}

export type WriterReply = {
  readonly number: number;
  readonly result?: DriverCommit;
  readonly failure?: WriterFailure;
};

export interface WriterData {
  readonly file: string;
  /** `full` waits for the disk at every commit; `off` is for databases that die with the process. */
  readonly synchronous: 'full' | 'off';
}

/** Sent once the file is open, or could not be. */
export type WriterHello = { readonly hello: 'ready' } | { readonly hello: WriterFailure };

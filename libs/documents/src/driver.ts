import type { CollectionPlan, IndexPlan } from './checks.js';
import type { IndexKey, IndexValue } from './port.js';

/** A document as a driver returns it. */
export interface RawDocument {
  readonly id: string;
  readonly revision: number;
  readonly value: object;
}

/** A write that has passed every check. */
export interface CheckedWrite {
  readonly collection: CollectionPlan;
  readonly kind: 'insert' | 'put' | 'replace' | 'delete' | 'increment';
  readonly id: string;
  /** The document as JSON. */
  readonly json?: string;
  /** Its values of `collection.fields`, null where it has none. */
  readonly keys?: readonly (IndexValue | null)[];
  readonly revision?: number;
  readonly increment?: Increment;
}

/** Bounds are always present: the safe integers where the caller gave none. */
export interface Increment {
  readonly field: string;
  readonly by: number;
  readonly minimum: number;
  readonly maximum: number;
}

export type Refusal = 'exists' | 'changed' | 'missing' | 'bounds';

export type DriverCommit =
  /** `values` holds what an increment made, at the place of its write. */
  | { readonly ok: true; readonly values: readonly (number | undefined)[] }
  | { readonly ok: false; readonly failed: number; readonly because: Refusal };

/** An index scan that has passed every check. */
export interface CheckedScan {
  readonly index: IndexPlan;
  readonly equal: readonly IndexValue[];
  readonly from?: IndexValue;
  readonly before?: IndexValue;
  readonly descending: boolean;
  /** Continue behind this place: the values of the fields that follow the equal ones, and the id. */
  readonly after?: { readonly keys: readonly IndexValue[]; readonly id: string };
  readonly limit: number;
}

export interface RawPage {
  readonly items: readonly RawDocument[];
  readonly more: boolean;
}

export interface LoadRow {
  readonly id: string;
  readonly json: string;
  readonly keys: readonly (IndexValue | null)[];
}

/** What a database has to do. Checks, schemas, cursors and retries are done once, around every driver. */
export interface Driver {
  readonly kind: 'sqlite' | 'mongodb';
  /** Makes the collection and its indexes what the plan says, keeping the documents. */
  declare(collection: CollectionPlan): Promise<void>;
  get(collection: CollectionPlan, id: string): Promise<RawDocument | undefined>;
  getMany(collection: CollectionPlan, ids: readonly string[]): Promise<readonly RawDocument[]>;
  scan(collection: CollectionPlan, scan: CheckedScan): Promise<RawPage>;
  /** What the index says of the first `limit` documents of a scan. */
  keys(collection: CollectionPlan, scan: CheckedScan): Promise<readonly IndexKey[]>;
  commit(writes: readonly CheckedWrite[]): Promise<DriverCommit>;
  load(collection: CollectionPlan, rows: readonly LoadRow[]): Promise<void>;
  ping(): Promise<void>;
  close(): Promise<void>;
}

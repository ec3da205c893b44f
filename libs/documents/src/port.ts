import type { z } from 'zod';

/** A value that an index can hold. Times are ISO strings or numbers. */
export type IndexValue = string | number;

/**
 * An ordered tuple of top-level fields. A document that lacks one of them is not in the index.
 * A field holds strings or numbers, not both; strings are ordered by their UTF-8 bytes, documents with equal values by id.
 */
export interface IndexSpec {
  readonly fields: readonly string[];
  readonly unique?: boolean;
}

/** What a collection is: its name, the shape of its documents and every way in which they can be listed. */
export interface CollectionSpec<D extends object, I extends string = string> {
  readonly name: string;
  readonly schema: z.ZodType<D>;
  readonly indexes: Readonly<Record<I, IndexSpec>>;
}

/**
 * A document as it is stored: its natural id, a revision that grows with every write (and is not repeated when the
 * document is deleted and made again), and its value.
 */
export interface Stored<D> {
  readonly id: string;
  readonly revision: number;
  readonly value: D;
}

export interface ScanOptions {
  /** Values of the leading fields of the index that must be equal. */
  readonly equal?: readonly IndexValue[];
  /** Bounds of the field that follows the equal ones: `from` inclusive, `before` exclusive. */
  readonly from?: IndexValue;
  readonly before?: IndexValue;
  readonly direction?: 'ascending' | 'descending';
  /** Required: every list has an end. At most {@link MAXIMUM_SCAN}. */
  readonly limit: number;
  /** Continues where an earlier scan with the same options ended. Opaque. */
  readonly cursor?: string;
}

/** What an index knows of a document: its id, and the values of all fields of the index in their order. */
export interface IndexKey {
  readonly id: string;
  readonly keys: readonly IndexValue[];
}

export const MAXIMUM_SCAN = 1000;

export interface ScanResult<D> {
  /** In the order of the index. Fewer than the limit, with a cursor, when the documents are large. */
  readonly items: readonly Stored<D>[];
  /** Present when there is more. */
  readonly cursor?: string;
}

/** One write of a {@link Documents.commit}. Made by the methods of {@link Collection.write} and by nothing else. */
export interface Write {
  readonly collection: string;
  readonly kind: 'insert' | 'put' | 'replace' | 'delete' | 'increment';
  readonly id: string;
}

/** A commit was applied whole, or nothing of it was; then `failed` is the index of the first write that could not be. */
export type CommitResult =
  | { readonly ok: true }
  | {
      readonly ok: false;
      readonly failed: number;
      readonly because: 'exists' | 'changed' | 'missing' | 'bounds';
    };

/** Makes writes for {@link Documents.commit}; nothing happens until they are committed. Ids and values are checked here. */
export interface WriteMaker<D extends object> {
  /** Fails with `exists` when the id, or a value of a unique index, is taken. */
  insert(id: string, value: D): Write;
  /** Inserts or overwrites, whatever is there. Like replace and increment, fails with `exists` when a unique value is taken. */
  put(id: string, value: D): Write;
  /** Compare and set: fails with `changed` unless the stored revision is `revision`. */
  replace(id: string, revision: number, value: D): Write;
  /**
   * Fails with `changed` when a revision is given and differs, with `missing` when it is given and there is no document.
   * Without a revision, deleting what is not there succeeds.
   */
  delete(id: string, revision?: number): Write;
  /**
   * Adds an integer to a number field; fails with `missing` when there is no such document or no number in it,
   * with `bounds` when the result would leave them (the safe integers by default).
   */
  increment(
    id: string,
    field: keyof D & string,
    by: number,
    bounds?: { minimum?: number; maximum?: number },
  ): Write;
}

/**
 * The documents of one kind. Every value is checked against the schema on its way in, and what the schema gives is stored;
 * a value read is what was stored then, so new fields of a schema are optional. Ids and values that cannot be stored are
 * refused with `bad_request` or `too_large`; what does not fit the schema is a mistake of ours (a plain Error).
 * put, replace, update and increment throw `conflict` (`value_taken`) when a unique value belongs to another document.
 */
export interface Collection<D extends object, I extends string = string> {
  get(id: string): Promise<Stored<D> | undefined>;
  /** Those that exist, in the order asked. At most {@link MAXIMUM_SCAN} ids. */
  getMany(ids: readonly string[]): Promise<readonly Stored<D>[]>;
  insert(id: string, value: D): Promise<'inserted' | 'exists'>;
  put(id: string, value: D): Promise<void>;
  replace(id: string, revision: number, value: D): Promise<'replaced' | 'changed'>;
  /**
   * Reads, changes and writes back until nobody was faster. `change` gets undefined when there is no document;
   * when it returns undefined nothing is written. Returns what is stored afterwards.
   * @throws DomainError `conflict` after many lost races
   */
  update(id: string, change: (value: D | undefined) => D | undefined): Promise<D | undefined>;
  delete(id: string, revision?: number): Promise<'deleted' | 'missing' | 'changed'>;
  scan(index: I, options: ScanOptions): Promise<ScanResult<D>>;
  /** The beginning of a scan by what its index holds, without reading the documents: for look-ups that need no more. */
  keys(index: I, options: Omit<ScanOptions, 'cursor'>): Promise<readonly IndexKey[]>;
  increment(
    id: string,
    field: keyof D & string,
    by: number,
    bounds?: { minimum?: number; maximum?: number },
  ): Promise<
    | { readonly ok: true; readonly value: number }
    | { readonly ok: false; readonly because: 'missing' | 'bounds' }
  >;
  /**
   * Inserts or overwrites many documents fast, without atomicity between them. For imports and tests.
   * @throws Error when a unique value is taken
   */
  load(documents: Iterable<{ readonly id: string; readonly value: D }>): Promise<number>;
  readonly write: WriteMaker<D>;
}

/** The database of one service. Two drivers, one behaviour suite. */
export interface Documents {
  readonly driver: 'sqlite' | 'mongodb';
  /** Declares a collection. Twice is fine if both say the same. */
  collection<D extends object, I extends string>(spec: CollectionSpec<D, I>): Collection<D, I>;
  /** Applies a list of writes (at most 500, over any collections of this service) atomically and durably. */
  commit(writes: readonly Write[]): Promise<CommitResult>;
  /**
   * Resolves when every collection declared so far is there with its indexes: await it before a service takes requests.
   * (The operations wait for their own collection anyway.)
   */
  ready(): Promise<void>;
  /** Rejects with a sentence when the database cannot answer. */
  ping(): Promise<void>;
  close(): Promise<void>;
}

import Database from 'better-sqlite3';
import { rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { CollectionPlan, IndexPlan } from '../checks.js';
import type {
  CheckedScan,
  CheckedWrite,
  Driver,
  DriverCommit,
  LoadRow,
  RawDocument,
  RawPage,
} from '../driver.js';
import { DOCUMENT_LIMITS } from '../limits.js';
import type { IndexKey, IndexValue } from '../port.js';
import { readError } from './errors.js';
import { type FileLock, lockFile } from './lock.js';
import type { WriterRequest } from './messages.js';
import { preparePlace } from './place.js';
import { Snapshot } from './snapshot.js';
import { declarationOf, parametersOf, scanOf, selectOf, shapeOf, writeMessage } from './statements.js';
import { WriterThread } from './writer-thread.js';

interface Row {
  readonly id: string;
  readonly revision: number;
  readonly value: string;
}
type KeyRow = readonly [id: string, ...keys: IndexValue[]];

type Select<R> = Database.Statement<unknown[], R>;

const documentOf = ({ id, revision, value }: Row): RawDocument => ({
  id,
  revision,
  value: JSON.parse(value) as object,
});

/** One SQLite file: reads happen here, in microseconds; writes in {@link WriterThread}. */
export class SqliteDriver implements Driver {
  readonly kind = 'sqlite';
  readonly #file: string;
  readonly #temporary: boolean;
  readonly #lock: FileLock;
  readonly #writer: WriterThread;
  readonly #reader: Database.Database;
  readonly #snapshot: Snapshot;
  readonly #selects = new Map<CollectionPlan, Select<Row>>();
  readonly #scans = new Map<IndexPlan, Select<Row>[]>();
  readonly #keyScans = new Map<IndexPlan, Select<KeyRow>[]>();

  private constructor(parts: {
    file: string;
    temporary: boolean;
    lock: FileLock;
    writer: WriterThread;
    reader: Database.Database;
  }) {
    this.#file = parts.file;
    this.#temporary = parts.temporary;
    this.#lock = parts.lock;
    this.#writer = parts.writer;
    this.#reader = parts.reader;
    this.#snapshot = new Snapshot(parts.reader);
  }

  /**
   * Opens or makes the file. A temporary one does not wait for the disk and is removed, with its folder, on close.
   * @throws DomainError when it is in use, on a network file system, not writable, or not ours
   */
  static async open(file: string, { temporary = false } = {}): Promise<SqliteDriver> {
    await preparePlace(file);
    const lock = lockFile(file);
    try {
      const writer = await WriterThread.start({ file, synchronous: temporary ? 'off' : 'full' });
      // The writer has made the file a WAL database by now: readers see every commit that was acknowledged.
      const reader = new Database(file, { readonly: true });
      return new SqliteDriver({ file, temporary, lock, writer, reader });
    } catch (error) {
      lock.release();
      throw error;
    }
  }

  async declare(collection: CollectionPlan): Promise<void> {
    await this.#write({ kind: 'declare', declaration: declarationOf(collection) });
  }

  get(collection: CollectionPlan, id: string): Promise<RawDocument | undefined> {
    return this.#read(() => {
      const row = this.#select(collection).get(id);
      return row === undefined ? undefined : documentOf(row);
    });
  }

  getMany(collection: CollectionPlan, ids: readonly string[]): Promise<readonly RawDocument[]> {
    return this.#read(() => {
      const select = this.#select(collection);
      return ids.flatMap((id) => {
        const row = select.get(id);
        return row === undefined ? [] : [documentOf(row)];
      });
    });
  }

  scan(collection: CollectionPlan, scan: CheckedScan): Promise<RawPage> {
    return this.#read(() => {
      const statement = ofShape(this.#scans, scan, () =>
        this.#reader.prepare<unknown[], Row>(scanOf(collection, scan, 'documents')),
      );
      const items: RawDocument[] = [];
      let bytes = 0;
      for (const row of statement.iterate(parametersOf(scan, scan.limit + 1))) {
        if (items.length === scan.limit || bytes > DOCUMENT_LIMITS.scanBytes) return { items, more: true };
        bytes += row.value.length;
        items.push(documentOf(row));
      }
      return { items, more: false };
    });
  }

  keys(collection: CollectionPlan, scan: CheckedScan): Promise<readonly IndexKey[]> {
    return this.#read(() => {
      const statement = ofShape(this.#keyScans, scan, () =>
        this.#reader.prepare<unknown[], KeyRow>(scanOf(collection, scan, 'keys')).raw(),
      );
      return statement.all(parametersOf(scan, scan.limit)).map(([id, ...keys]) => ({ id, keys }));
    });
  }

  async commit(writes: readonly CheckedWrite[]): Promise<DriverCommit> {
    const result = await this.#write({ kind: 'commit', writes: writes.map(writeMessage) });
    if (result === undefined) throw new Error('The database writer gave no result for a commit');
    return result;
  }

  async load(collection: CollectionPlan, rows: readonly LoadRow[]): Promise<void> {
    const results = await Promise.all(rows.map((row) => this.commit([{ collection, kind: 'put', ...row }])));
    const refused = results.findIndex((result) => !result.ok);
    if (refused !== -1) throw new Error(`A value of a unique index of ${collection.name} is taken`);
  }

  async ping(): Promise<void> {
    this.#writer.check();
    await this.#read(() => this.#reader.prepare('SELECT 1').get());
  }

  async close(): Promise<void> {
    this.#reader.close();
    try {
      await this.#writer.request({ kind: 'close' });
    } finally {
      this.#lock.release();
    }
    if (this.#temporary) await rm(dirname(this.#file), { recursive: true, force: true });
  }

  /** Between this and the reply the writer may commit at any moment. */
  #write(request: WriterRequest): Promise<DriverCommit | undefined> {
    this.#snapshot.release();
    return this.#writer.request(request);
  }

  async #read<T>(work: () => T): Promise<T> {
    try {
      if (this.#writer.idle) this.#snapshot.hold();
      return work();
    } catch (error) {
      this.#snapshot.release();
      throw readError(error, this.#file);
    }
  }

  #select(collection: CollectionPlan): Select<Row> {
    let select = this.#selects.get(collection);
    if (select === undefined)
      this.#selects.set(collection, (select = this.#reader.prepare<unknown[], Row>(selectOf(collection))));
    return select;
  }
}

/** The prepared statement for scans of this shape; a statement is planned once. */
function ofShape<R>(
  known: Map<IndexPlan, Select<R>[]>,
  scan: CheckedScan,
  prepare: () => Select<R>,
): Select<R> {
  let shapes = known.get(scan.index);
  if (shapes === undefined) known.set(scan.index, (shapes = []));
  return (shapes[shapeOf(scan)] ??= prepare());
}

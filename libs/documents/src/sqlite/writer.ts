/**
 * The writer thread: it alone owns the write connection, so that waiting for the disk never stops the services.
 * Everything that has arrived by the time it is free shares one transaction and one wait for the disk.
 *
 * Loaded as a worker, in tests straight from this source: it imports nothing of ours but types.
 */
import Database from 'better-sqlite3';
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import type { DriverCommit, Increment, Refusal } from '../driver.js';
import type {
  Declaration,
  WriteMessage,
  WriterBatch,
  WriterData,
  WriterFailure,
  WriterHello,
  WriterReply,
  WriterRequest,
} from './messages.js';

/** Requests that share a transaction at most: bounds the time until the first of them is answered. */
const MAXIMUM_BATCH = 512;
/** "SCSd": tells our files from other SQLite files. */
const APPLICATION_ID = 0x53435364;
/** Layout of the file; a newer one than this program knows is refused. */
const LAYOUT = 1;

interface Table {
  readonly columns: Declaration['columns'];
  readonly select: Database.Statement<[string], { revision: number; value: string }>;
  readonly insert: Database.Statement;
  readonly put: Database.Statement;
  readonly replace: Database.Statement;
  readonly overwrite: Database.Statement;
  readonly delete: Database.Statement;
  readonly deleteRevision: Database.Statement;
}

interface Applied {
  readonly refusal?: Refusal;
  readonly value?: number;
}

const port = parentPort;
if (port === null) throw new Error('The database writer runs as a worker thread only');

const data = workerData as WriterData;
const tables = new Map<string, Table>();

function failureOf(error: unknown): WriterFailure {
  const code =
    error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'ERROR';
  return { message: error instanceof Error ? error.message : String(error), code };
}

/** Tells the parent, which turns it into a sentence, and ends this thread. */
function giveUp(error: unknown): never {
  tell(failureOf(error));
  process.exit(1);
}

function tell(hello: WriterHello['hello']): void {
  port?.postMessage({ hello });
}

function open(): Database.Database {
  try {
    const opened = openFile();
    tell('ready');
    return opened;
  } catch (error) {
    return giveUp(error);
  }
}

function openFile(): Database.Database {
  const opened = new Database(data.file);
  const written = Number(opened.pragma('application_id', { simple: true }));
  if (written !== 0 && written !== APPLICATION_ID)
    throw Object.assign(new Error('not one of ours'), { code: 'FOREIGN' });
  if (Number(opened.pragma('user_version', { simple: true })) > LAYOUT)
    throw Object.assign(new Error('newer layout'), { code: 'NEWER' });
  opened.pragma('journal_mode = WAL');
  opened.pragma(`synchronous = ${data.synchronous}`);
  opened.pragma('journal_size_limit = 67108864');
  opened.pragma(`application_id = ${APPLICATION_ID}`);
  opened.pragma(`user_version = ${LAYOUT}`);
  return opened;
}

const database = open();

const begin = database.prepare('BEGIN IMMEDIATE');
const end = database.prepare('COMMIT');
const back = database.prepare('ROLLBACK');

/**
 * The first revision of a document. It comes from the time, so that a document which is deleted and made again does not
 * repeat the revisions of the first one and a late compare-and-set fails as it must.
 */
let lastBirth = 0;
function firstRevision(): number {
  lastBirth = Math.max(lastBirth + 1, Date.now() * 1000);
  return lastBirth;
}

function declare(declaration: Declaration): void {
  database.exec(declaration.sql.create);
  const known = new Set(
    database
      .prepare<[string], { name: string }>('SELECT name FROM pragma_table_info(?)')
      .all(declaration.table)
      .map((column) => column.name),
  );
  for (const { field, column } of declaration.columns) {
    if (known.has(column)) continue;
    // ->> gives text and numbers; every other kind of value is not in an index. REAL comes back exact through JSON.parse.
    database.exec(`ALTER TABLE "${declaration.table}" ADD COLUMN "${column}"`);
    backfill(declaration.table, field, column);
  }
  const wanted = new Map(declaration.indexes.map((index) => [index.name, index.sql]));
  const existing = database
    .prepare<[string], { name: string; sql: string }>(
      "SELECT name, sql FROM sqlite_schema WHERE type = 'index' AND tbl_name = ? AND sql IS NOT NULL",
    )
    .all(declaration.table);
  for (const index of existing) {
    if (wanted.get(index.name) === index.sql) wanted.delete(index.name);
    else database.exec(`DROP INDEX "${index.name}"`);
  }
  for (const sql of wanted.values()) database.exec(sql);
  const { sql } = declaration;
  tables.set(declaration.table, {
    columns: declaration.columns,
    select: database.prepare(sql.select),
    insert: database.prepare(sql.insert),
    put: database.prepare(sql.put),
    replace: database.prepare(sql.replace),
    overwrite: database.prepare(sql.overwrite),
    delete: database.prepare(sql.delete),
    deleteRevision: database.prepare(sql.deleteRevision),
  });
}

/** Fills a new column from the documents. In JavaScript: its numbers are the ones that later scans compare with. */
function backfill(table: string, field: string, column: string): void {
  const page = database.prepare<[number], { rowid: number; value: string }>(
    `SELECT rowid, value FROM "${table}" WHERE rowid > ? ORDER BY rowid LIMIT 500`,
  );
  const set = database.prepare(`UPDATE "${table}" SET "${column}" = ? WHERE rowid = ?`);
  for (let last = -1, rows = page.all(last); rows.length > 0; rows = page.all(last)) {
    for (const row of rows) {
      const value = (JSON.parse(row.value) as Record<string, unknown>)[field];
      if (typeof value === 'string' || typeof value === 'number') set.run(value, row.rowid);
      last = row.rowid;
    }
  }
}

function increment(table: Table, id: string, { field, by, minimum, maximum }: Increment): Applied {
  const row = table.select.get(id);
  if (row === undefined) return { refusal: 'missing' };
  const document = JSON.parse(row.value) as Record<string, unknown>;
  const current = document[field];
  if (typeof current !== 'number') return { refusal: 'missing' };
  const value = current + by;
  if (value < minimum || value > maximum) return { refusal: 'bounds' };
  document[field] = value;
  const keys = table.columns.map((column) => document[column.field] ?? null);
  table.overwrite.run(JSON.stringify(document), ...keys, id);
  return { value };
}

function perform(table: Table, write: WriteMessage): Applied {
  const { id, json, revision } = write;
  const keys = write.keys ?? [];
  switch (write.kind) {
    case 'insert':
      table.insert.run(id, firstRevision(), json, ...keys);
      return {};
    case 'put':
      table.put.run(id, firstRevision(), json, ...keys);
      return {};
    case 'replace':
      return table.replace.run(json, ...keys, id, revision).changes === 1 ? {} : { refusal: 'changed' };
    case 'delete':
      if (revision === undefined) return { value: table.delete.run(id).changes };
      if (table.deleteRevision.run(id, revision).changes === 1) return { value: 1 };
      return { refusal: table.select.get(id) === undefined ? 'missing' : 'changed' };
    case 'increment':
      return write.increment === undefined ? {} : increment(table, id, write.increment);
    default:
      throw new Error(`Not a write: ${String(write.kind)}`);
  }
}

function apply(write: WriteMessage): Applied {
  const table = tables.get(write.table);
  if (table === undefined) throw new Error(`The collection ${write.table} was not declared`);
  try {
    return perform(table, write);
  } catch (error) {
    const { code } = failureOf(error);
    if (code === 'SQLITE_CONSTRAINT_UNIQUE' || code === 'SQLITE_CONSTRAINT_PRIMARYKEY')
      return { refusal: 'exists' };
    throw error;
  }
}

/** Applies a list of writes up to the first that is refused. Runs inside the transaction of its batch. */
function applyAll(writes: readonly WriteMessage[]): DriverCommit {
  const values: (number | undefined)[] = [];
  for (const [failed, write] of writes.entries()) {
    const { refusal, value } = apply(write);
    if (refusal !== undefined) return { ok: false, failed, because: refusal };
    values.push(value);
  }
  return { ok: true, values };
}

/** Applies a list of writes, or none of them, whatever becomes of the others in the transaction. */
function commit(writes: readonly WriteMessage[]): DriverCommit {
  if (writes.length === 1) return applyAll(writes);
  database.exec('SAVEPOINT one');
  const result = applyAll(writes);
  database.exec(result.ok ? 'RELEASE one' : 'ROLLBACK TO one; RELEASE one');
  return result;
}

function answer(request: WriterRequest): DriverCommit | undefined {
  if (request.kind === 'commit') return commit(request.writes);
  if (request.kind === 'declare') declare(request.declaration);
  return undefined;
}

function inTransaction<T>(work: () => T, isRefused: (result: T) => boolean = () => false): T {
  begin.run();
  try {
    const result = work();
    if (isRefused(result)) back.run();
    else end.run();
    return result;
  } catch (error) {
    // SQLite has already rolled back after some errors (disk full, I/O).
    if (database.inTransaction) back.run();
    throw error;
  }
}

function transaction(batch: WriterBatch): WriterReply[] {
  const [first] = batch;
  if (first !== undefined && batch.length === 1 && first.request.kind === 'commit') {
    // The transaction is its own: without savepoint SQLite keeps no copies of the pages that change.
    const { number, request } = first;
    const result = inTransaction(
      () => applyAll(request.writes),
      ({ ok }) => !ok,
    );
    return [{ number, result }];
  }
  return inTransaction(() =>
    batch.map(({ number, request }): WriterReply => {
      const result = answer(request);
      return result === undefined ? { number } : { number, result };
    }),
  );
}

/** One transaction for all; when it fails, one for each, so that only what cannot be stored is refused. */
function run(batch: WriterBatch): WriterReply[] {
  try {
    return transaction(batch);
  } catch (error) {
    if (batch.length === 1) return batch.map(({ number }) => ({ number, failure: failureOf(error) }));
    return batch.flatMap((one) => run([one]));
  }
}

/** Leaves a tidy file where it can. On a full disk it cannot: the log then keeps the commits, and is read at the next start. */
function shut(): void {
  try {
    database.pragma('wal_checkpoint(TRUNCATE)');
  } catch {
    // Nothing is lost, see above.
  }
  database.close();
}

port.on('message', (first: WriterBatch) => {
  const batch = [...first];
  while (batch.length < MAXIMUM_BATCH) {
    const next = receiveMessageOnPort(port);
    if (next === undefined) break;
    batch.push(...(next.message as WriterBatch));
  }
  const closing = batch.filter(({ request }) => request.kind === 'close');
  const work = batch.filter(({ request }) => request.kind !== 'close');
  if (work.length > 0) port.postMessage(run(work));
  if (closing.length > 0) {
    shut();
    port.postMessage(closing.map(({ number }): WriterReply => ({ number })));
    port.close();
  }
});

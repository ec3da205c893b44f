import type { CollectionPlan, IndexPlan } from '../checks.js';
import type { CheckedScan, CheckedWrite } from '../driver.js';
import type { IndexValue } from '../port.js';
import type { Declaration, WriteMessage } from './messages.js';

// Names come from planCollection, which admits letters, digits, `_` and `-` only; quoting is for reserved words.
const quoted = (name: string): string => `"${name}"`;
const columnOf = (field: string): string => quoted(`k_${field}`);
const indexOf = (collection: CollectionPlan, index: IndexPlan): string => `${collection.name}.${index.name}`;
const present = (fields: readonly string[]): string =>
  fields.map((field) => `${columnOf(field)} IS NOT NULL`).join(' AND ');

/**
 * The table of a collection: the document as JSON, and beside it one column for every field of an index.
 * The columns have no type, so values keep their own; the indexes hold only documents that have all their fields.
 */
export function declarationOf(collection: CollectionPlan): Declaration {
  const table = quoted(collection.name);
  const columns = collection.fields.map(columnOf);
  const all = ['id', 'revision', 'value', ...columns];
  const marks = all.map(() => '?').join(', ');
  const changes = ['value', ...columns];
  const set = changes.map((column) => `${column} = ?`).join(', ');
  return {
    table: collection.name,
    columns: collection.fields.map((field) => ({ field, column: `k_${field}` })),
    indexes: collection.indexes.map((index) => {
      const name = indexOf(collection, index);
      const parts = index.unique ? index.fields.map(columnOf) : [...index.fields.map(columnOf), 'id'];
      const kind = index.unique ? 'UNIQUE INDEX' : 'INDEX';
      return {
        name,
        sql: `CREATE ${kind} ${quoted(name)} ON ${table} (${parts.join(', ')}) WHERE ${present(index.fields)}`,
      };
    }),
    sql: {
      create: `CREATE TABLE IF NOT EXISTS ${table} (id TEXT PRIMARY KEY NOT NULL, revision INTEGER NOT NULL, value TEXT NOT NULL)`,
      select: selectOf(collection),
      insert: `INSERT INTO ${table} (${all.join(', ')}) VALUES (${marks})`,
      put:
        `INSERT INTO ${table} (${all.join(', ')}) VALUES (${marks}) ON CONFLICT (id) DO UPDATE SET ` +
        `revision = ${table}.revision + 1, ${changes.map((column) => `${column} = excluded.${column}`).join(', ')}`,
      replace: `UPDATE ${table} SET revision = revision + 1, ${set} WHERE id = ? AND revision = ?`,
      overwrite: `UPDATE ${table} SET revision = revision + 1, ${set} WHERE id = ?`,
      delete: `DELETE FROM ${table} WHERE id = ?`,
      deleteRevision: `DELETE FROM ${table} WHERE id = ? AND revision = ?`,
    },
  };
}

/** Reads one document by its id. */
export function selectOf(collection: CollectionPlan): string {
  return `SELECT id, revision, value FROM ${quoted(collection.name)} WHERE id = ?`;
}

export function writeMessage(write: CheckedWrite): WriteMessage {
  const { collection, ...rest } = write;
  return { table: collection.name, ...rest };
}

/** What decides the text of a scan, as a number: scans of one index with equal shapes share a statement. */
export function shapeOf({ equal, from, before, after, descending }: CheckedScan): number {
  const bits = [from !== undefined, before !== undefined, after !== undefined, descending];
  return bits.reduce((shape, bit) => shape * 2 + Number(bit), equal.length);
}

/**
 * One scan as SQL that can only be answered by its index: `INDEXED BY` makes anything else an error.
 * The place to continue at replaces the bound that it lies within (the caller has checked that it does).
 * Every value stands in an expression, `+?` and not `?`: where SQLite compares a bare parameter with the condition of a partial
 * index, or finds one as a limit, it plans the statement anew for each value, which takes several times as long as the scan.
 * @param what `documents`, or `keys`: the ids and the fields of the index alone, which no document has to be read for
 */
export function scanOf(collection: CollectionPlan, scan: CheckedScan, what: 'documents' | 'keys'): string {
  const { index, equal, descending, after } = scan;
  const conditions = index.fields.slice(0, equal.length).map((field) => `${columnOf(field)} = +?`);
  const rest = index.fields.slice(equal.length).map(columnOf);
  const order = orderOf(scan);
  if (lowerBound(scan) !== undefined) conditions.push(`${rest[0]} >= +?`);
  if (upperBound(scan) !== undefined) conditions.push(`${rest[0]} < +?`);
  if (after !== undefined && order.length > 0)
    conditions.push(`(${order.join(', ')}) ${descending ? '<' : '>'} (${order.map(() => '+?').join(', ')})`);
  conditions.push(present(index.fields));
  const direction = descending ? ' DESC' : '';
  const orderBy =
    order.length === 0 ? '' : ` ORDER BY ${order.map((column) => column + direction).join(', ')}`;
  const columns = what === 'keys' ? ['id', ...index.fields.map(columnOf)] : ['id', 'revision', 'value'];
  return (
    `SELECT ${columns.join(', ')} FROM ${quoted(collection.name)} INDEXED BY ${quoted(indexOf(collection, index))} ` +
    `WHERE ${conditions.join(' AND ')}${orderBy} LIMIT ? + 0`
  );
}

/** The values of a scan that reads `limit` rows, in the order of the parameters of {@link scanOf}. */
export function parametersOf(scan: CheckedScan, limit: number): IndexValue[] {
  const { index, equal, after } = scan;
  const parameters = [...equal];
  const [lower, upper] = [lowerBound(scan), upperBound(scan)];
  if (lower !== undefined) parameters.push(lower);
  if (upper !== undefined) parameters.push(upper);
  if (after !== undefined) parameters.push(...after.keys, ...(index.unique ? [] : [after.id]));
  parameters.push(limit);
  return parameters;
}

/** The fields of a unique index already order its documents totally; every other index ends with the id. */
function orderOf({ index, equal }: CheckedScan): string[] {
  const rest = index.fields.slice(equal.length).map(columnOf);
  return index.unique ? rest : [...rest, 'id'];
}

const lowerBound = ({ from, after, descending }: CheckedScan): IndexValue | undefined =>
  after === undefined || descending ? from : undefined;

const upperBound = ({ before, after, descending }: CheckedScan): IndexValue | undefined =>
  after === undefined || !descending ? before : undefined;

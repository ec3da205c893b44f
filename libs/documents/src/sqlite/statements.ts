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

/**
 * One scan as SQL that can only be answered by its index: `INDEXED BY` makes anything else an error.
 * The place to continue at replaces the bound that it lies within (the caller has checked that it does).
 */
export function scanOf(
  collection: CollectionPlan,
  scan: CheckedScan,
): { readonly sql: string; readonly parameters: readonly IndexValue[] } {
  const { index, equal, descending, after } = scan;
  const conditions: string[] = [];
  const parameters: IndexValue[] = [];
  const rest = index.fields.slice(equal.length).map(columnOf);
  // The fields of a unique index already order its documents totally; every other index ends with the id.
  const order = index.unique ? rest : [...rest, 'id'];
  index.fields.slice(0, equal.length).forEach((field, position) => {
    conditions.push(`${columnOf(field)} = ?`);
    parameters.push(...equal.slice(position, position + 1));
  });
  const first = rest[0];
  if (first !== undefined && scan.from !== undefined && (after === undefined || descending)) {
    conditions.push(`${first} >= ?`);
    parameters.push(scan.from);
  }
  if (first !== undefined && scan.before !== undefined && (after === undefined || !descending)) {
    conditions.push(`${first} < ?`);
    parameters.push(scan.before);
  }
  if (after !== undefined && order.length > 0) {
    conditions.push(`(${order.join(', ')}) ${descending ? '<' : '>'} (${order.map(() => '?').join(', ')})`);
    parameters.push(...after.keys, ...(index.unique ? [] : [after.id]));
  }
  conditions.push(present(index.fields));
  const direction = descending ? ' DESC' : '';
  const orderBy =
    order.length === 0 ? '' : ` ORDER BY ${order.map((column) => column + direction).join(', ')}`;
  return {
    sql:
      `SELECT id, revision, value FROM ${quoted(collection.name)} INDEXED BY ${quoted(indexOf(collection, index))} ` +
      `WHERE ${conditions.join(' AND ')}${orderBy} LIMIT ?`,
    parameters: [...parameters, scan.limit + 1],
  };
}

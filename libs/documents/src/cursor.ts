import { DomainError, expected } from '#libs/core';
import { checkId, checkIndexValue, type IndexPlan } from './checks.js';
import { DOCUMENT_LIMITS } from './limits.js';
import type { IndexValue } from './port.js';

/** The order of both databases: numbers before strings, strings by their UTF-8 bytes. */
export function compareIndexValues(a: IndexValue, b: IndexValue): number {
  if (typeof a === 'number') return typeof b === 'number' ? a - b : -1;
  if (typeof b === 'number') return 1;
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

/** Where a scan continues: behind the document with these values of the fields after the equal ones, and this id. */
export interface Place {
  readonly keys: readonly IndexValue[];
  readonly id: string;
}

export function writeCursor(index: IndexPlan, { keys, id }: Place): string {
  return Buffer.from(JSON.stringify([index.name, ...keys, id])).toString('base64url');
}

/**
 * Reads a cursor, which may have been in a stranger's hands: it can only name a place inside the scan that it is used with.
 * @throws DomainError `bad_request`
 */
export function readCursor(
  cursor: string,
  scan: {
    readonly index: IndexPlan;
    readonly equal: readonly IndexValue[];
    readonly from?: IndexValue;
    readonly before?: IndexValue;
  },
): Place {
  const refuse = (): DomainError =>
    new DomainError('bad_request', expected('a cursor of this very list', 'cursor', cursor), {
      reason: 'bad_cursor',
    });
  if (typeof cursor !== 'string' || cursor.length > DOCUMENT_LIMITS.cursorCharacters) throw refuse();
  let parts: unknown;
  try {
    parts = JSON.parse(Buffer.from(cursor, 'base64url').toString());
  } catch {
    throw refuse();
  }
  const length = scan.index.fields.length - scan.equal.length;
  if (!Array.isArray(parts) || parts.length !== length + 2 || parts[0] !== scan.index.name) throw refuse();
  const values = parts.slice(1).map((value) => checkIndexValue(value, 'cursor'));
  const id = values.pop();
  if (typeof id !== 'string') throw refuse();
  const first = values[0];
  if (first !== undefined) {
    if (scan.from !== undefined && compareIndexValues(first, scan.from) < 0) throw refuse();
    if (scan.before !== undefined && compareIndexValues(first, scan.before) >= 0) throw refuse();
  }
  return { keys: values, id: checkId(id) };
}

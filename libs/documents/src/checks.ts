import { DomainError, expected } from '#libs/core';
import { DOCUMENT_LIMITS } from './limits.js';
import type { CollectionSpec, IndexValue } from './port.js';

const COLLECTION_NAME = /^[a-z][A-Za-z0-9_-]{0,60}$/;
const FIELD_NAME = /^[A-Za-z][A-Za-z0-9_]{0,60}$/;

/** Throws when a string cannot be stored and compared the same way everywhere: too long, NUL inside, lone surrogates. */
function checkText(text: string, what: string, limit: number): void {
  if (text.includes('\0')) throw new DomainError('bad_request', expected('no NUL character', what, text));
  if (!text.isWellFormed()) throw new DomainError('bad_request', expected('well-formed Unicode', what, text));
  if (Buffer.byteLength(text) > limit)
    throw new DomainError('bad_request', expected(`at most ${limit} bytes`, what, text));
}

/** @throws DomainError `bad_request` unless `id` is a string that both drivers can hold as a key */
export function checkId(id: string): string {
  if (typeof id !== 'string' || id === '')
    throw new DomainError('bad_request', expected('a non-empty string', 'the id of a document', id));
  checkText(id, 'the id of a document', DOCUMENT_LIMITS.idBytes);
  return id;
}

/** @throws DomainError `bad_request` unless `value` is a string or a finite number: never an object, so never an operator */
export function checkIndexValue(value: unknown, name: string): IndexValue {
  if (typeof value === 'string') {
    checkText(value, name, DOCUMENT_LIMITS.indexStringBytes);
    return value;
  }
  if (typeof value === 'number' && Number.isFinite(value)) return value === 0 ? 0 : value;
  throw new DomainError('bad_request', expected('a string or a finite number', name, value));
}

/**
 * Refuses everything that a driver could read as more than data, or that would not come back as it went in:
 * keys with `.` or a leading `$`, arrays of arrays, lone surrogates, and what JSON has no form for.
 * @throws DomainError `bad_request`; TypeError for values that no request can hold (dates, functions …)
 */
function checkTree(value: unknown, depth: number): void {
  if (depth > DOCUMENT_LIMITS.depth)
    throw new DomainError(
      'bad_request',
      expected(`at most ${DOCUMENT_LIMITS.depth} levels`, 'a document', 'more'),
    );
  switch (typeof value) {
    case 'string':
      if (!value.isWellFormed())
        throw new DomainError('bad_request', expected('well-formed Unicode', 'a document', value));
      return;
    case 'number':
      if (!Number.isFinite(value))
        throw new DomainError('bad_request', expected('finite numbers', 'a document', value));
      return;
    case 'boolean':
    case 'undefined':
      return;
    case 'object':
      if (value === null) return;
      if (Array.isArray(value)) checkArray(value, depth);
      else checkObject(value, depth);
      return;
    case 'bigint':
    case 'function':
    case 'symbol':
      throw new TypeError(expected('JSON values', 'a document', typeof value));
  }
}

function checkArray(values: readonly unknown[], depth: number): void {
  for (const value of values) {
    if (Array.isArray(value))
      throw new DomainError('bad_request', expected('no array directly in an array', 'a document', 'one'));
    if (value === undefined)
      throw new TypeError(expected('no undefined in an array', 'a document', 'undefined'));
    checkTree(value, depth + 1);
  }
}

function checkObject(value: object, depth: number): void {
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null)
    throw new TypeError(expected('plain objects', 'a document', value.constructor.name));
  for (const [key, member] of Object.entries(value)) {
    if (key.startsWith('$') || key.includes('.') || key === '__proto__' || key === '')
      throw new DomainError(
        'bad_request',
        expected("a key without '.' and without a leading '$'", 'a document', key),
      );
    checkText(key, 'a key of a document', DOCUMENT_LIMITS.keyBytes);
    checkTree(member, depth + 1);
  }
}

/**
 * Checks a document and gives it as the JSON that is stored.
 * @throws DomainError `bad_request`, `too_large`; TypeError for what only a mistake in our own code can hold
 */
export function checkDocument(value: object): string {
  if (Array.isArray(value)) throw new TypeError(expected('an object', 'a document', 'an array'));
  checkTree(value, 1);
  const json = JSON.stringify(value);
  if (Buffer.byteLength(json) > DOCUMENT_LIMITS.documentBytes)
    throw new DomainError(
      'too_large',
      expected(`at most ${DOCUMENT_LIMITS.documentBytes} bytes`, 'a document', Buffer.byteLength(json)),
    );
  return json;
}

/** One index of a collection, as drivers use it. */
export interface IndexPlan {
  readonly name: string;
  readonly fields: readonly string[];
  readonly unique: boolean;
}

/** A collection as drivers use it: checked names, and the fields of all its indexes once. */
export interface CollectionPlan {
  readonly name: string;
  readonly fields: readonly string[];
  readonly indexes: readonly IndexPlan[];
}

/** @throws Error when a name of the specification could not be used in both databases */
export function planCollection(spec: CollectionSpec<object>): CollectionPlan {
  if (!COLLECTION_NAME.test(spec.name))
    throw new Error(expected(String(COLLECTION_NAME), 'the name of a collection', spec.name));
  const fields = new Set<string>();
  const indexes = Object.entries(spec.indexes).map(([name, index]) => {
    if (!FIELD_NAME.test(name))
      throw new Error(expected(String(FIELD_NAME), `the name of an index of ${spec.name}`, name));
    if (index.fields.length < 1 || index.fields.length > DOCUMENT_LIMITS.indexFields)
      throw new Error(
        expected(
          `1 to ${DOCUMENT_LIMITS.indexFields} fields`,
          `index ${name} of ${spec.name}`,
          index.fields.length,
        ),
      );
    if (new Set(index.fields).size !== index.fields.length)
      throw new Error(expected('each field once', `index ${name} of ${spec.name}`, index.fields.join()));
    for (const field of index.fields) {
      if (!FIELD_NAME.test(field))
        throw new Error(expected(String(FIELD_NAME), `a field of index ${name} of ${spec.name}`, field));
      fields.add(field);
    }
    return { name, fields: index.fields, unique: index.unique ?? false };
  });
  // SQLite does not tell upper from lower case in names of columns and indexes.
  for (const names of [[...fields], indexes.map((index) => index.name)])
    if (new Set(names.map((name) => name.toLowerCase())).size !== names.length)
      throw new Error(expected('names that differ in more than case', spec.name, names.join()));
  return { name: spec.name, fields: [...fields], indexes };
}

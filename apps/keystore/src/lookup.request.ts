import { DomainError, expected } from '#libs/core';
import { parseSearch, type Search } from './search.js';

/** `GET /pks/lookup` as a typed value (keystore contract §1.4). */
export interface Lookup {
  readonly operation: 'get' | 'index';
  /** Readings of the search term, tried in order. */
  readonly searches: readonly Search[];
}

const UNSUPPORTED = 'Expected get, index or vindex for op';

/**
 * Reads the raw query string: a `+` in it is ambiguous, and only here both readings are still possible (contract §1.5).
 * @throws DomainError `bad_request` for missing or impossible values, `not_implemented` for operations that are not offered
 */
export function parseLookup(rawQuery: string): Lookup {
  const operation = first(rawQuery, 'op');
  if (operation === undefined || operation === '') throw new DomainError('bad_request', UNSUPPORTED);
  if (operation !== 'get' && operation !== 'index' && operation !== 'vindex') {
    throw new DomainError('not_implemented', expected('get, index or vindex', 'op', operation));
  }
  const term = first(rawQuery, 'search');
  if (term === undefined) throw new DomainError('bad_request', 'Expected something to search for');
  return { operation: operation === 'get' ? 'get' : 'index', searches: readings(term).flatMap(parseSearch) };
}

/** The first value of a parameter, not decoded. */
function first(rawQuery: string, name: string): string | undefined {
  for (let start = 0; start <= rawQuery.length;) {
    const and = rawQuery.indexOf('&', start);
    const end = and === -1 ? rawQuery.length : and;
    const after = start + name.length;
    if (rawQuery.startsWith(name, start) && after <= end) {
      if (after === end) return '';
      if (rawQuery[after] === '=') return rawQuery.slice(after + 1, end);
    }
    start = end + 1;
  }
  return undefined;
}

/** dirmngr sends a plus as it is, Go clients send a blank as plus: an address reads it literally first, all else as a blank. */
function readings(raw: string): string[] {
  if (!raw.includes('+')) return [decode(raw)];
  const blank = decode(raw.replaceAll('+', ' '));
  const literal = decode(raw);
  return literal.includes('@') ? [literal, blank] : [blank, literal];
}

function decode(text: string): string {
  if (!text.includes('%')) return text;
  try {
    return decodeURIComponent(text);
  } catch (cause) {
    throw new DomainError('bad_request', expected('percent-encoded UTF-8', 'search', text), { cause });
  }
}

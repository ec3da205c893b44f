import { DomainError, expected } from '#libs/core';
import { LIMITS } from './limits.js';
import { parseSearch, type Search } from './search.js';

/** What `options` may say (keystore contract §1.4); everything else in it is ignored. */
type LookupOption = 'mr' | 'json' | 'bin' | 'sig';

/** `GET /pks/lookup` as a typed value (keystore contract §1.4). */
export type Lookup =
  { readonly operation: 'stats'; readonly options: ReadonlySet<LookupOption> } | LookupGet | LookupIndex;

export interface LookupGet {
  readonly operation: 'get';
  readonly options: ReadonlySet<LookupOption>;
  /** Readings of the search term, tried in order. */
  readonly searches: readonly Search[];
}

export interface LookupIndex {
  readonly operation: 'index' | 'vindex';
  readonly options: ReadonlySet<LookupOption>;
  /** The search term in its first reading, for people; and as it came. */
  readonly term: string;
  readonly rawTerm: string;
  readonly exact: boolean;
  readonly searches: readonly Search[];
  /** Undefined: as many as usual. */
  readonly pageSize: number | undefined;
  readonly pageToken: string | undefined;
}

const OPERATIONS = ['get', 'index', 'vindex', 'stats'] as const;
const WANTED = `Expected ${OPERATIONS.slice(0, -1).join(', ')} or ${OPERATIONS.at(-1)} for op`;
const OPTIONS = new Set<string>(['mr', 'json', 'bin', 'sig'] satisfies LookupOption[]);
const NO_OPTIONS: ReadonlySet<LookupOption> = new Set();

/**
 * Reads the raw query string: a `+` in it is ambiguous, and only here both readings are still possible (contract §1.5).
 * @throws DomainError `bad_request` for missing or impossible values, `not_implemented` for operations that are not offered
 */
export function parseLookup(rawQuery: string): Lookup {
  const operation = first(rawQuery, 'op');
  if (operation === undefined || operation === '') throw new DomainError('bad_request', WANTED);
  if (!isOperation(operation)) throw new DomainError('not_implemented', `${WANTED}, got something else`);
  const options = optionsIn(first(rawQuery, 'options'));
  if (operation === 'stats') return { operation, options };
  const raw = first(rawQuery, 'search');
  if (raw === undefined) throw new DomainError('bad_request', 'Expected something to search for');
  const exact = first(rawQuery, 'exact')?.toLowerCase() === 'on';
  const terms = readings(raw);
  const searches = addressesFirst(terms.flatMap((term) => parseSearch(term, exact)));
  if (operation === 'get') return { operation, options, searches };
  return {
    operation,
    options,
    term: terms[0] ?? '',
    rawTerm: raw,
    exact,
    searches,
    pageSize: sizeIn(first(rawQuery, 'x-pagesize')),
    pageToken: tokenIn(first(rawQuery, 'x-pagetoken')),
  };
}

const isOperation = (word: string): word is (typeof OPERATIONS)[number] =>
  (OPERATIONS as readonly string[]).includes(word);

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

function optionsIn(raw: string | undefined): ReadonlySet<LookupOption> {
  if (raw === undefined || raw === '') return NO_OPTIONS;
  const words = raw.toLowerCase().replaceAll('%2c', ',').split(',');
  return new Set(words.filter((word): word is LookupOption => OPTIONS.has(word)));
}

/** As many as may be for more; as many as usual for what is no number (keystore contract §1.4). */
function sizeIn(raw: string | undefined): number | undefined {
  if (raw === undefined || !/^\d{1,9}$/.test(raw)) return undefined;
  const size = Number(raw);
  return size === 0 ? undefined : Math.min(size, LIMITS.listedMost);
}

function tokenIn(raw: string | undefined): string | undefined {
  return raw === undefined || raw === '' ? undefined : decode(raw);
}

/** dirmngr sends a plus as it is, Go clients send a blank as plus: an address reads it literally first, all else as a blank. */
function readings(raw: string): string[] {
  if (!raw.includes('+')) return [decode(raw)];
  const blank = decode(raw.replaceAll('+', ' '));
  const literal = decode(raw);
  return literal.includes('@') ? [literal, blank] : [blank, literal];
}

/** Who asks for an address wants nobody else who happens to have the words in it. */
function addressesFirst(searches: readonly Search[]): readonly Search[] {
  const addresses = searches.filter(({ kind }) => kind === 'email');
  return addresses.length === 0 ? searches : addresses;
}

function decode(text: string): string {
  if (!text.includes('%')) return text;
  try {
    return decodeURIComponent(text);
  } catch (cause) {
    throw new DomainError('bad_request', expected('percent-encoded UTF-8', 'search', text), { cause });
  }
}

import { parseCount, trimBytes } from '../bytes.js';
import type { Bytes } from '../plan.js';
import { notOffered, refusal } from '../refusal.js';
import { DIRECTIVES } from './directives.js';
import type { Directive } from './directives.js';

export type DirectiveValue = boolean | number | Bytes | readonly Bytes[];

/** Lines `directive = value` by directive (lower case, single spaces), every value in file order. */
type Lines = ReadonlyMap<string, readonly Bytes[]>;

/**
 * Reads singularity.conf (runtime contract §3.1): `#` comments, names in any case, the first line of a single-valued directive counts, lists add
 * up over lines, unknown directives are ignored, `NULL` is the empty list. A list that a file does not name is empty.
 * @param name of the file, for messages
 * @throws DomainError (status 255) for a value that a directive does not take, and for one that this version cannot honour
 */
export function parseConfiguration(content: Bytes, name: string): ReadonlyMap<string, DirectiveValue> {
  const lines = readLines(content);
  const values = new Map<string, DirectiveValue>();
  for (const directive of DIRECTIVES)
    values.set(directive.name, valueOf(directive, lines.get(directive.name), name));
  return values;
}

/** The values when there is no file. */
export function defaultValues(): ReadonlyMap<string, DirectiveValue> {
  return new Map(DIRECTIVES.map((directive) => [directive.name, directive.default]));
}

function readLines(content: Bytes): Lines {
  const lines = new Map<string, Bytes[]>();
  for (const line of content.split('\n')) {
    const equals = line.indexOf('=');
    if (equals < 0) continue;
    const name = directiveName(line.slice(0, equals));
    if (name === null) continue;
    const before = lines.get(name);
    const value = trimBytes(line.slice(equals + 1));
    if (before === undefined) lines.set(name, [value]);
    else before.push(value);
  }
  return lines;
}

/** Letters, spaces, `_` and `-`, as the contract's pattern says; null for a comment or anything else. */
function directiveName(text: Bytes): string | null {
  const name = text
    .split(/[ \t]/)
    .filter((word) => word !== '')
    .join(' ')
    .toLowerCase();
  for (const character of name) {
    const letter = character >= 'a' && character <= 'z';
    if (!letter && character !== ' ' && character !== '_' && character !== '-') return null;
  }
  return name === '' ? null : name;
}

function valueOf(directive: Directive, lines: readonly Bytes[] | undefined, file: string): DirectiveValue {
  if (directive.type === 'list') {
    const entries = (lines ?? []).flatMap((line) => line.split(',').map(trimBytes));
    return entries.filter((entry) => entry !== '' && entry !== 'NULL');
  }
  const line = lines?.[0];
  if (line === undefined) return directive.default;
  const wrong = (wanted: string): Error =>
    refusal(`expected ${wanted} for "${directive.name}" in ${file}, got "${line}"`);
  switch (directive.type) {
    case 'switch':
      if (line !== 'yes' && line !== 'no') throw wrong('yes or no');
      return allowed(directive.name, directive.use, line === 'yes', file);
    case 'number': {
      const count = parseCount(line);
      if (count === null) throw wrong('a number');
      return allowed(directive.name, directive.use, count, file);
    }
    case 'word':
      if (!directive.words.includes(line)) throw wrong(directive.words.join(', '));
      return allowed(directive.name, directive.use, line, file);
    case 'text':
      break;
  }
  return allowed(directive.name, directive.use, line, file);
}

function allowed<T extends DirectiveValue>(
  name: string,
  use: 'honoured' | 'harmless' | { readonly only: readonly T[] },
  value: T,
  file: string,
): T {
  if (typeof use === 'string' || use.only.includes(value)) return value;
  const shown = typeof value === 'boolean' ? (value ? 'yes' : 'no') : String(value);
  throw notOffered(`"${name} = ${shown}" in ${file}`);
}

import { DomainError } from '#libs/core';
import { DIRECTIVES, parseConfiguration, type Bytes, type Directive } from '#libs/runtime';

/** @throws DomainError (status 255) for a name that no directive has; any case, any number of spaces */
export function directiveNamed(name: Bytes): Directive {
  const wanted = nameOf(name);
  const found = DIRECTIVES.find((directive) => directive.name === wanted);
  if (found !== undefined) return found;
  throw refused(
    `there is no directive "${name}"`,
    'Every name is in what this prints: sing config global --dry-run --reset "mount dev"',
  );
}

/** What a file says, or, without a file, what holds: one text for a single value. */
export function valuesOf(text: Bytes | undefined, directive: Directive, path: string): readonly Bytes[] {
  const value =
    text === undefined
      ? directive.default
      : (parseConfiguration(text, path).get(directive.name) ?? directive.default);
  if (typeof value === 'object') return value;
  return [shown(value)];
}

/**
 * The file with the directive set: a single value in the place of the one before, values of a list in front of the others.
 * @throws DomainError (status 255) for a value that the directive does not take
 */
export function setDirective(
  text: Bytes,
  directive: Directive,
  values: readonly Bytes[],
  path: string,
): Bytes {
  checkValues(directive, values);
  const lines = values.map((value) => lineOf(directive, value));
  const file = new Lines(text, directive);
  return checked(directive.type === 'list' ? file.before(lines) : file.instead(lines), path);
}

/**
 * The file without these values of a list.
 * @throws DomainError (status 255) for a single-valued directive, and for a value that is not there
 */
export function unsetDirective(
  text: Bytes,
  directive: Directive,
  values: readonly Bytes[],
  path: string,
): Bytes {
  if (directive.type !== 'list')
    throw refused(
      `"${directive.name}" has one value, which cannot be taken away`,
      'Back to the built-in value: sing config global --reset',
    );
  checkValues(directive, values);
  const there = valuesOf(text, directive, path);
  for (const value of values)
    if (!there.includes(value)) throw refused(`"${directive.name}" has no value "${value}" in ${path}`);
  const left = there.filter((value) => !values.includes(value));
  return checked(new Lines(text, directive).instead(left.map((value) => lineOf(directive, value))), path);
}

/** The file with the built-in value of the directive. */
export function resetDirective(text: Bytes, directive: Directive, path: string): Bytes {
  const { default: value } = directive;
  const values = typeof value === 'object' ? value : [shown(value)];
  const lines = values.filter((one) => one !== '').map((one) => lineOf(directive, one));
  return checked(new Lines(text, directive).instead(lines), path);
}

/** Values of `--set` and `--unset`, for example of a list: `a,b` are two. */
function checkValues(directive: Directive, values: readonly Bytes[]): void {
  const [value, ...more] = values;
  if (value === undefined) throw refused(`expected a value for "${directive.name}", got none`);
  if (more.length > 0 && directive.type !== 'list')
    throw refused(`"${directive.name}" has one value, got ${values.length}`);
  for (const one of values) {
    if (one.includes('\n')) throw refused(`a value of "${directive.name}" cannot have several lines`);
    if (directive.type === 'list' && one.trim() === '')
      throw refused(`expected a value for "${directive.name}", got nothing`);
  }
}

/** Never a file that the next start refuses. */
function checked(text: Bytes, path: string): Bytes {
  parseConfiguration(text, path);
  return text;
}

export const lineOf = (directive: Directive, value: Bytes): Bytes => `${directive.name} = ${value}`;

/** A value as it stands in the file. */
export function shown(value: boolean | number | Bytes): Bytes {
  return typeof value === 'boolean' ? (value ? 'yes' : 'no') : String(value);
}

const nameOf = (text: Bytes): Bytes =>
  text
    .split(/[ \t]+/)
    .filter((word) => word !== '')
    .join(' ')
    .toLowerCase();

/** The lines of a file, some of which belong to one directive. Everything else stays byte for byte. */
class Lines {
  readonly #lines: readonly Bytes[];
  readonly #own: (line: Bytes) => boolean;
  readonly #comment: (line: Bytes) => boolean;

  constructor(text: Bytes, directive: Directive) {
    const lines = text.split('\n');
    // Behind the last line feed there is no line.
    this.#lines = lines.at(-1) === '' ? lines.slice(0, -1) : lines;
    const before = (line: Bytes): Bytes | null => {
      const equals = line.indexOf('=');
      return equals < 0 ? null : line.slice(0, equals);
    };
    this.#own = (line) => nameOf(before(line) ?? '') === directive.name;
    this.#comment = (line) => {
      const name = before(line);
      return name !== null && name.startsWith('#') && nameOf(name.slice(1)) === directive.name;
    };
  }

  /** New lines in front of the first of the directive. */
  before(added: readonly Bytes[]): Bytes {
    const first = this.#lines.findIndex((line) => this.#own(line));
    return first < 0 ? this.instead(added) : this.#joined(first, 0, added);
  }

  /** New lines in the place of those of the directive; else behind a comment that shows it; else at the end. */
  instead(added: readonly Bytes[]): Bytes {
    const first = this.#lines.findIndex((line) => this.#own(line));
    if (first >= 0) {
      const behind = this.#lines.slice(first).filter((line) => !this.#own(line));
      return text([...this.#lines.slice(0, first), ...added, ...behind]);
    }
    const comment = this.#lines.findIndex((line) => this.#comment(line));
    return this.#joined(comment < 0 ? this.#lines.length : comment + 1, 0, added);
  }

  #joined(at: number, removed: number, added: readonly Bytes[]): Bytes {
    return text(this.#lines.toSpliced(at, removed, ...added));
  }
}

const text = (lines: readonly Bytes[]): Bytes => lines.map((line) => `${line}\n`).join('');

function refused(message: string, remedy?: string): DomainError {
  return new DomainError('bad_request', message, {
    reason: 'directive_refused',
    exitCode: 255,
    ...(remedy === undefined ? {} : { remedy }),
  });
}

import { DomainError } from '#libs/core';

/*
 * The part of YAML that `remote.yaml` is written in: block mappings and sequences by indent, plain and quoted scalars,
 * `{}` and `[]`. Everything else is refused by line number rather than understood half.
 */

export type Yaml = string | null | YamlMap | readonly Yaml[];
export type YamlMap = { readonly [key: string]: Yaml };

interface Line {
  readonly number: number;
  readonly indent: number;
  readonly text: string;
}

const MAXIMUM_DEPTH = 16;

/**
 * Reads a document whose top is a mapping; an empty one is an empty mapping. Scalars stay text, `null` and `~` are null.
 * @throws DomainError `bad_request` with the line
 */
export function parseYaml(text: string): YamlMap {
  const lines = text
    .split(/\r?\n/)
    .map((raw, index) => ({
      number: index + 1,
      indent: raw.length - raw.trimStart().length,
      text: raw.trim(),
      raw,
    }))
    .filter(({ text }) => text !== '' && !text.startsWith('#') && text !== '---');
  for (const line of lines) {
    if (line.raw.slice(0, line.indent).includes('\t')) throw fault(line, 'a tab in front');
  }
  if (lines.length === 0 || (lines.length === 1 && lines[0]?.text === '{}')) return {};
  const reader = new Reader(lines);
  const value = reader.block(lines[0]?.indent ?? 0, 0);
  const left = reader.peek();
  if (left !== undefined) throw fault(left, 'an indent that fits nothing');
  if (!isMap(value)) throw fault(lines[0], 'no mapping');
  return value;
}

/** Whether a value is a mapping. */
export function isMap(value: Yaml | undefined): value is YamlMap {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Writes a mapping in the form that Go's library gives it. */
export function printYaml(map: YamlMap): string {
  return Object.keys(map).length === 0 ? '{}\n' : `${blockLines(map).join('\n')}\n`;
}

class Reader {
  readonly #lines: readonly Line[];
  #at = 0;

  constructor(lines: readonly Line[]) {
    this.#lines = lines;
  }

  peek(): Line | undefined {
    return this.#lines[this.#at];
  }

  block(indent: number, depth: number): Yaml {
    const first = this.peek();
    if (first === undefined) return null;
    if (depth > MAXIMUM_DEPTH) throw fault(first, 'too many levels');
    return isItem(first.text) ? this.#sequence(indent, depth) : this.#mapping(indent, depth);
  }

  #mapping(indent: number, depth: number): YamlMap {
    const entries = new Map<string, Yaml>();
    for (let line = this.peek(); line?.indent === indent && !isItem(line.text); line = this.peek()) {
      const [key, rest] = splitEntry(line);
      if (entries.has(key)) throw fault(line, `the key ${key} twice`);
      this.#at += 1;
      entries.set(key, this.#value(line, rest, indent, depth));
    }
    return Object.fromEntries(entries);
  }

  #sequence(indent: number, depth: number): readonly Yaml[] {
    const items: Yaml[] = [];
    for (let line = this.peek(); line?.indent === indent && isItem(line.text); line = this.peek()) {
      const rest = line.text.slice(1).trimStart();
      const inner = line.indent + line.text.length - rest.length;
      if (rest === '' || !isEntry(rest)) {
        this.#at += 1;
        items.push(this.#value(line, rest, indent, depth));
        continue;
      }
      // `- key: value`: a mapping that begins on the line of its dash.
      const lines = [...this.#lines];
      lines[this.#at] = { ...line, indent: inner, text: rest };
      const nested = new Reader(lines);
      nested.#at = this.#at;
      items.push(nested.block(inner, depth + 1));
      this.#at = nested.#at;
    }
    return items;
  }

  #value(line: Line, rest: string, indent: number, depth: number): Yaml {
    if (rest !== '') return scalar(line, rest);
    const next = this.peek();
    // Go writes sequences at the indent of their key.
    const nested =
      next !== undefined &&
      (next.indent > indent || (next.indent === indent && isItem(next.text) && !isItem(line.text)));
    return nested ? this.block(next.indent, depth + 1) : null;
  }
}

const KEY =
  /^("(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|[^\s"'#:{[\]},&*!|>%@`?-][^:#]*?|[^\s"'#{[\]},&*!|>%@`?-][^:\s]*):(?:\s+(.*))?$/s;

function isItem(text: string): boolean {
  return text === '-' || text.startsWith('- ');
}

function isEntry(text: string): boolean {
  return KEY.test(text);
}

function splitEntry(line: Line): [string, string] {
  const match = KEY.exec(line.text);
  if (match?.[1] === undefined) throw fault(line, 'no "key: value"');
  const key = scalar(line, match[1]);
  if (typeof key !== 'string') throw fault(line, 'no usable key');
  const rest = match[2] ?? '';
  return [key, rest.startsWith('#') ? '' : rest];
}

function scalar(line: Line, text: string): Yaml {
  if (text === '{}') return {};
  if (text === '[]') return [];
  if (text.startsWith('"')) {
    const match = /^("(?:[^"\\]|\\.)*")(?:\s+#.*)?$/s.exec(text);
    try {
      if (match?.[1] !== undefined) return JSON.parse(match[1]) as string;
    } catch {
      // Escapes of YAML that JSON does not know: refused below.
    }
    throw fault(line, 'a quoted text that is not understood');
  }
  if (text.startsWith("'")) {
    const match = /^'((?:[^']|'')*)'(?:\s+#.*)?$/s.exec(text);
    if (match?.[1] === undefined) throw fault(line, 'a quoted text that is not closed');
    return match[1].replaceAll("''", "'");
  }
  if (/^[{[&*!|>%@`]/.test(text)) throw fault(line, 'a form that is not understood');
  const plain = text.replace(/\s+#.*$/s, '');
  return plain === '~' || plain === 'null' ? null : plain;
}

function blockLines(value: YamlMap, indent = ''): string[] {
  return Object.entries(value).flatMap(([key, each]) => entryLines(`${indent}${quote(key)}:`, each, indent));
}

function entryLines(head: string, value: Yaml, indent: string): string[] {
  if (value === null) return [`${head} null`];
  if (typeof value === 'string') return [`${head} ${quote(value)}`];
  if (isMap(value)) {
    return Object.keys(value).length === 0 ? [`${head} {}`] : [head, ...blockLines(value, `${indent}    `)];
  }
  if (value.length === 0) return [`${head} []`];
  return [head, ...value.flatMap((item) => itemLines(item, `${indent}    `))];
}

function itemLines(item: Yaml, indent: string): string[] {
  if (!isMap(item) || Object.keys(item).length === 0) return entryLines(`${indent}-`, item, indent);
  const [first = '', ...others] = blockLines(item, `${indent}  `);
  return [`${indent}- ${first.trimStart()}`, ...others];
}

function quote(text: string): string {
  const safe = /^[A-Za-z0-9_./][A-Za-z0-9_./@+=~-]*(?::\/\/[A-Za-z0-9_./@+=~:-]*)?$/;
  const special = /^(?:null|~|\d[\d_.eE+-]*)$/i;
  return safe.test(text) && !special.test(text) ? text : JSON.stringify(text);
}

function fault(line: Line | undefined, what: string): DomainError {
  return new DomainError('bad_request', `Line ${line?.number ?? 1} has ${what}`, { reason: 'bad_yaml' });
}

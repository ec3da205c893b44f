import { parseCount } from '../bytes.js';
import { absolutePath, cleanPath } from '../paths.js';
import type { AbsolutePath, Bytes } from '../plan.js';
import { refusal } from '../refusal.js';
import { csvFields } from './csv.js';

/** One user bind. The source is still as it was written: relative ones are relative to the working directory of the caller. */
export interface BindRequest {
  readonly source: Bytes;
  /** Null: the same path as the (absolute) source. */
  readonly destination: AbsolutePath | null;
  readonly readOnly: boolean;
  /** The source is an image, of which `path` is bound, always read-only. */
  readonly image?: ImageSource;
}

export interface ImageSource {
  /** Absolute path inside the image. */
  readonly path: AbsolutePath;
  /** Number of the partition in a SIF; null: its data partition, or else its root file system. */
  readonly object: number | null;
}

/** Most binds that one launch takes: far above any use, far below what would hurt. */
export const MOST_BINDS = 1000;

/**
 * Reads the value of `--bind` (runtime contract §1.5): elements `src[:dst[:opt[,opt…]]]` separated by commas; once an element has three
 * fields the following known options belong to it; `\:` is a colon inside a path. Blanks in front of elements do not count, empty elements are skipped. `ro` wins over `rw`.
 * @throws DomainError (status 255) for anything else
 */
export function parseBinds(text: Bytes): readonly BindRequest[] {
  const elements: { fields: Bytes[]; options: Bytes[] }[] = [];
  for (const padded of text.split(',')) {
    const word = padded.replace(/^[ \t]+/, '');
    const last = elements[elements.length - 1];
    if (last !== undefined && last.fields.length === 3 && isBindOption(word)) {
      last.options.push(word);
    } else if (word !== '') {
      const fields = splitFields(word);
      elements.push({ fields, options: fields.length === 3 ? [fields[2] ?? ''] : [] });
    }
  }
  return elements.map(({ fields, options }) => bindRequest(text, fields, options));
}

function isBindOption(word: Bytes): boolean {
  return word === 'ro' || word === 'rw' || word.startsWith('image-src=') || word.startsWith('id=');
}

/** Splits at colons that no backslash stands before. */
function splitFields(word: Bytes): Bytes[] {
  const fields: Bytes[] = [];
  let field = '';
  for (let index = 0; index < word.length; index += 1) {
    const character = word.charAt(index);
    if (character === '\\' && word.charAt(index + 1) === ':') {
      field += ':';
      index += 1;
    } else if (character === ':') {
      fields.push(field);
      field = '';
    } else {
      field += character;
    }
  }
  fields.push(field);
  return fields;
}

function bindRequest(text: Bytes, fields: readonly Bytes[], options: readonly Bytes[]): BindRequest {
  const [source = '', destination] = fields;
  if (fields.length > 3) throw refusal(`wrong bind syntax: "${text}" has more than three fields`);
  if (source === '') throw refusal(`wrong bind syntax: "${text}" has no source`);
  let readOnly = false;
  const image = new ImageOptions();
  for (const option of options) {
    if (!isBindOption(option)) throw refusal(`"${option}" is not a valid bind option`);
    const equals = option.indexOf('=');
    if (equals < 0) readOnly ||= option === 'ro';
    else image.set(option.slice(0, equals), option.slice(equals + 1));
  }
  return {
    source,
    destination: destination === undefined ? null : checkedDestination(destination),
    readOnly,
    ...image.source(),
  };
}

/** `image-src` and `id` as they are read. */
class ImageOptions {
  #path: AbsolutePath | null = null;
  #object: number | null = null;

  /** @throws DomainError (status 255) */
  set(key: Bytes, value: Bytes): void {
    if (key === 'image-src') {
      if (value === '') throw refusal('image-src is empty: it has to be a path inside the image');
      this.#path = cleanPath(`/${value}`);
      return;
    }
    this.#object = parseCount(value);
    if (this.#object === null || this.#object === 0)
      throw refusal(`expected the number of a partition for id, got "${value}"`);
  }

  source(): { readonly image?: ImageSource } {
    if (this.#path === null && this.#object === null) return {};
    return { image: { path: this.#path ?? '/', object: this.#object } };
  }
}

function checkedDestination(destination: Bytes): AbsolutePath {
  if (!destination.startsWith('/'))
    throw refusal(`destination must be an absolute path, got "${destination}"`);
  return absolutePath(null, destination);
}

/**
 * Reads the value of `--mount`: entries `[type=bind,]source=…,destination=…[,ro]` separated by newlines, each a line of comma separated values.
 * @throws DomainError (status 255)
 */
export function parseMounts(text: Bytes): readonly BindRequest[] {
  const requests: BindRequest[] = [];
  for (const line of text.split('\n')) if (line !== '') requests.push(parseMount(line));
  return requests;
}

function parseMount(line: Bytes): BindRequest {
  const fields = csvFields(line);
  if (fields === null) throw refusal(`wrong mount syntax: quotes do not match in "${line}"`);
  let type: Bytes = 'bind';
  let source: Bytes | null = null;
  let destination: Bytes | null = null;
  let readOnly = false;
  const image = new ImageOptions();
  for (const field of fields) {
    const equals = field.indexOf('=');
    const key = equals < 0 ? field : field.slice(0, equals);
    const value = equals < 0 ? '' : field.slice(equals + 1);
    if (key === 'type') type = value;
    else if (key === 'source' || key === 'src') source = value;
    else if (key === 'destination' || key === 'dst' || key === 'target') destination = value;
    else if (key === 'ro' || key === 'readonly')
      readOnly = mountSwitch(line, key, equals < 0 ? 'true' : value);
    else if (key === 'image-src' || key === 'id') image.set(key, value);
    else if (key === 'bind-propagation') throw refusal('mount option bind-propagation is not supported');
    else throw refusal(`invalid key "${key}" in mount specification "${line}"`);
  }
  if (type !== 'bind') throw refusal(`mount type must be bind, got "${type}" in "${line}"`);
  if (source === null || source === '') throw refusal(`mount source is missing in "${line}"`);
  if (destination === null || destination === '') throw refusal(`mount destination is missing in "${line}"`);
  return { source, destination: checkedDestination(destination), readOnly, ...image.source() };
}

function mountSwitch(line: Bytes, key: Bytes, value: Bytes): boolean {
  if (value === 'true' || value === '1') return true;
  if (value === 'false' || value === '0') return false;
  throw refusal(`invalid value "${value}" for ${key} in mount specification "${line}"`);
}

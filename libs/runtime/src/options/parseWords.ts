import type { Bytes } from '../plan.js';
import { usageError } from '../refusal.js';
import type { Flag, FlagValue } from './flag.js';

export interface ParsedWords {
  readonly values: ReadonlyMap<string, FlagValue>;
  /** Everything from the first word that is no flag (or behind `--`). */
  readonly rest: readonly Bytes[];
  /** `-h` or `--help` stood among the flags. */
  readonly help: boolean;
}

/**
 * Reads flags until the first positional word, as runtime contract §1.1 says: short flags may be joined (`-Cip`), values attached
 * (`-B/a:/b`, `-B=/a`, `--bind=/a`) or the next word, `--` ends the flags, a switch takes a value only as `--flag=false`.
 * @throws DomainError (usage, status 1) for an unknown flag, a missing value, a switch with a word that is no truth value
 */
export function parseWords(flags: readonly Flag[], words: readonly Bytes[], command: string): ParsedWords {
  const reader = new FlagReader(flags, command);
  let index = 0;
  while (index < words.length) {
    const word = words[index] ?? '';
    if (!word.startsWith('-') || word === '-') break;
    index += 1;
    if (word === '--') break;
    if (reader.read(word, words[index])) index += 1;
  }
  return { values: reader.values, rest: words.slice(index), help: reader.help };
}

class FlagReader {
  readonly values = new Map<string, FlagValue>();
  help = false;
  readonly #flags: readonly Flag[];
  readonly #command: string;

  constructor(flags: readonly Flag[], command: string) {
    this.#flags = flags;
    this.#command = command;
  }

  /** Reads one word; true when it also took the next one. */
  read(word: Bytes, next: Bytes | undefined): boolean {
    return word.startsWith('--') ? this.#readLong(word, next) : this.#readShort(word, next);
  }

  #readLong(word: Bytes, next: Bytes | undefined): boolean {
    const equals = word.indexOf('=');
    const name = equals < 0 ? word.slice(2) : word.slice(2, equals);
    const attached = equals < 0 ? undefined : word.slice(equals + 1);
    if (name === 'help') {
      this.help = true;
      return false;
    }
    const flag = this.#flags.find((one) => one.name === name || one.aliases?.includes(name) === true);
    if (flag === undefined) throw usageError(this.#command, `unknown flag: --${name}`);
    if (flag.takes === 'nothing') {
      this.#turn(flag, attached ?? 'true', `--${name}`);
      return false;
    }
    const value = attached ?? next;
    if (value === undefined) throw usageError(this.#command, `flag needs an argument: --${name}`);
    this.#add(flag, value, `--${name}`);
    return attached === undefined;
  }

  #readShort(word: Bytes, next: Bytes | undefined): boolean {
    for (let index = 1; index < word.length; index += 1) {
      const letter = word.charAt(index);
      if (letter === 'h') {
        this.help = true;
        continue;
      }
      const flag = this.#flags.find((one) => one.short === letter);
      if (flag === undefined)
        throw usageError(this.#command, `unknown shorthand flag: '${letter}' in ${word}`);
      const behind = word.slice(index + 1);
      if (flag.takes === 'nothing') {
        if (behind.startsWith('=')) {
          this.#turn(flag, behind.slice(1), `-${letter}`);
          return false;
        }
        this.#turn(flag, 'true', `-${letter}`);
        continue;
      }
      if (behind !== '') {
        this.#add(flag, behind.startsWith('=') ? behind.slice(1) : behind, `-${letter}`);
        return false;
      }
      if (next === undefined)
        throw usageError(this.#command, `flag needs an argument: '${letter}' in ${word}`);
      this.#add(flag, next, `-${letter}`);
      return true;
    }
    return false;
  }

  #turn(flag: Flag, word: Bytes, givenBy: string): void {
    const on = parseTruth(word);
    if (on === null)
      throw usageError(
        this.#command,
        `invalid argument "${word}" for "--${flag.name}" flag: expected true or false`,
      );
    this.values.set(flag.name, { flag, on, texts: [], givenBy });
  }

  #add(flag: Flag, text: Bytes, givenBy: string): void {
    const before = flag.takes === 'values' ? (this.values.get(flag.name)?.texts ?? []) : [];
    this.values.set(flag.name, { flag, on: true, texts: [...before, text], givenBy });
  }
}

const TRUTH: readonly string[] = ['1', 't', 'T', 'true', 'True', 'TRUE'];
const UNTRUTH: readonly string[] = ['0', 'f', 'F', 'false', 'False', 'FALSE'];

/** The truth value of a word in the usual spellings, or null: `yes` is none (runtime contract §1.3). */
export function parseTruth(word: Bytes): boolean | null {
  if (TRUTH.includes(word)) return true;
  return UNTRUTH.includes(word) ? false : null;
}

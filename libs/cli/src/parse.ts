import { parseArgs, type ParseArgsOptionsConfig } from 'node:util';
import type { Environment } from './environment.js';
import { UsageError } from './failures.js';
import type { AnyFlagValue, Flag, Flags } from './flags.js';
import { DomainError, expected } from '#libs/core';

export interface ParsedFlags {
  readonly values: Record<string, AnyFlagValue>;
  /** What follows the flags, untouched. */
  readonly rest: readonly string[];
  readonly help: boolean;
}

const help: Flag = { type: 'boolean', short: 'h', summary: 'show help' };

/**
 * Reads the flags in front of the first positional argument: "Flag parsing of a command stops at its first positional
 * argument … `--` also ends flags. Short flags may be joined, values may be attached, long flags take `--flag=value` or
 * `--flag value`; booleans only `--flag=false`" (runtime contract §1.1).
 * @param command words of the command, for messages
 * @param where `anywhere`: flags also stand behind and between positional arguments
 * @throws UsageError
 */
export function parseFlags(
  flags: Flags,
  argv: readonly string[],
  command: string,
  where: 'in front' | 'anywhere' = 'in front',
): ParsedFlags {
  const table = flagTable(flags);
  const { tokens } = parseArgs({
    args: [...argv],
    options: tokenizerOptions(table),
    strict: false,
    tokens: true,
  });
  const values: Record<string, AnyFlagValue> = {};
  let wantsHelp = false;
  const rest: string[] = [];
  for (const token of tokens) {
    if (token.kind === 'positional') {
      if (where === 'anywhere') {
        rest.push(token.value);
        continue;
      }
      rest.push(...argv.slice(token.index));
      break;
    }
    if (token.kind === 'option-terminator') {
      rest.push(...argv.slice(token.index + 1));
      break;
    }
    const found = token.rawName.startsWith('--')
      ? table.long.get(token.name)
      : table.short.get(token.rawName.slice(1));
    if (found === undefined) {
      throw new UsageError(command, unknownFlag(token.rawName, argv[token.index] ?? token.rawName));
    }
    const [name, flag] = found;
    const attached = token.rawName.startsWith('--') ? token.value : token.value?.replace(/^=/, '');
    const value = token.inlineValue === true ? attached : token.value;
    if (flag === help) wantsHelp = value !== 'false';
    else values[name] = take(flag, token.rawName, value, values[name], command);
  }
  return { values, rest, help: wantsHelp };
}

/**
 * Fills in what the command line did not say, from the environment and from defaults. Boolean variables accept "1/0,
 * t/f, true/false in the usual cases, anything else → 255 naming flag and value" (runtime contract §1.3).
 * @throws DomainError for a variable that is not what its flag takes
 */
export function completeFlags(
  flags: Flags,
  given: Readonly<Record<string, AnyFlagValue>>,
  env: Environment,
): Record<string, AnyFlagValue> {
  const values: Record<string, AnyFlagValue> = {};
  for (const [name, flag] of Object.entries(flags)) {
    const typed = given[name];
    const adds = flag.type === 'list' && flag.envAdds === true;
    const setting =
      flag.env !== undefined && (typed === undefined || adds) ? env.setting(...flag.env) : undefined;
    if (setting !== undefined) {
      values[name] = fromEnvironment(flag, name, setting, typed);
    } else if (typed !== undefined) {
      values[name] = typed;
    } else {
      values[name] = absent(flag);
    }
  }
  return values;
}

function absent(flag: Flag): AnyFlagValue {
  if (flag.type === 'boolean') return false;
  if (flag.type === 'list') return [];
  return flag.default;
}

function fromEnvironment(
  flag: Flag,
  name: string,
  setting: { name: string; value: string },
  typed: AnyFlagValue,
): AnyFlagValue {
  try {
    if (flag.type === 'list') {
      const before = Array.isArray(typed) ? typed : [];
      return [...before, ...setting.value.split(',').filter((part) => part !== '')];
    }
    return take(flag, setting.name, setting.value, undefined, '');
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    throw new DomainError('bad_request', `${error.message} (the environment sets --${name})`, {
      reason: 'bad_environment',
      exitCode: 255,
    });
  }
}

function take(
  flag: Flag,
  shown: string,
  value: string | undefined,
  before: AnyFlagValue,
  command: string,
): AnyFlagValue {
  if (flag.type === 'boolean') {
    const parsed = value === undefined ? true : parseBoolean(value);
    if (parsed !== undefined) return parsed;
    throw new UsageError(command, expected('true or false', shown, value));
  }
  if (value === undefined) throw new UsageError(command, `flag needs an argument: ${shown}`);
  if (flag.type === 'list') {
    const parts = flag.commas === true ? value.split(',').filter((part) => part !== '') : [value];
    return [...(Array.isArray(before) ? before : []), ...parts];
  }
  if (flag.type === 'integer') return takeInteger(flag, shown, value, command);
  if (flag.choices !== undefined && !flag.choices.includes(value)) {
    throw new UsageError(command, expected(`one of ${flag.choices.join(', ')}`, shown, value));
  }
  return value;
}

function takeInteger(
  flag: Flag & { type: 'integer' },
  shown: string,
  value: string,
  command: string,
): number {
  const { minimum = 0, maximum = Number.MAX_SAFE_INTEGER } = flag;
  const number = /^-?[0-9]{1,16}$/.test(value) ? Number(value) : Number.NaN;
  if (number >= minimum && number <= maximum) return number;
  const range = flag.maximum === undefined ? `of at least ${minimum}` : `from ${minimum} to ${maximum}`;
  throw new UsageError(command, expected(`a whole number ${range}`, shown, value));
}

/** The spellings that both stock programs take; undefined for anything else. */
export function parseBoolean(text: string): boolean | undefined {
  if (/^(1|t|T|true|TRUE|True)$/.test(text)) return true;
  if (/^(0|f|F|false|FALSE|False)$/.test(text)) return false;
  return undefined;
}

function unknownFlag(rawName: string, typed: string): string {
  if (rawName.startsWith('--')) return `unknown flag: ${rawName}`;
  return `unknown shorthand flag: '${rawName.slice(1)}' in ${typed}`;
}

interface FlagTable {
  readonly long: ReadonlyMap<string, readonly [string, Flag]>;
  readonly short: ReadonlyMap<string, readonly [string, Flag]>;
}

function flagTable(flags: Flags): FlagTable {
  const long = new Map<string, readonly [string, Flag]>([['help', ['help', help]]]);
  const short = new Map<string, readonly [string, Flag]>([['h', ['help', help]]]);
  for (const [name, flag] of Object.entries(flags)) {
    for (const each of [name, ...(flag.aliases ?? [])]) long.set(each, [name, flag]);
    if (flag.short !== undefined) short.set(flag.short, [name, flag]);
  }
  return { long, short };
}

/** parseArgs only cuts the words; what they mean is decided by our own table, so that messages are ours. */
function tokenizerOptions(table: FlagTable): ParseArgsOptionsConfig {
  const options: ParseArgsOptionsConfig = {};
  for (const [name, [, flag]] of table.long) {
    options[name] = { type: flag.type === 'boolean' ? 'boolean' : 'string' };
  }
  for (const [letter, [name, flag]] of table.short) {
    options[name] = { type: flag.type === 'boolean' ? 'boolean' : 'string', short: letter };
  }
  return options;
}

import type { Bytes } from '../plan.js';
import { refusal } from '../refusal.js';
import type { Flag, FlagValue, FlagValues } from './flag.js';
import { parseTruth } from './parseWords.js';

/** Variables that configure the program, in the order in which they win: ours, then the stock spellings. */
export const PREFIXES = ['SING_', 'SINGULARITY_', 'APPTAINER_'] as const;

export type Environment = ReadonlyMap<Bytes, Bytes>;

/** The environment by name; of a name that stands twice the first counts, as for getenv. Entries without `=` are left out. */
export function environmentMap(entries: readonly Bytes[]): Environment {
  const map = new Map<Bytes, Bytes>();
  for (const entry of entries) {
    const equals = entry.indexOf('=');
    if (equals < 1) continue;
    const name = entry.slice(0, equals);
    if (!map.has(name)) map.set(name, entry.slice(equals + 1));
  }
  return map;
}

/** The variables whose names begin with one of the prefixes; mostly none of a hundred, which is told by their first letters. */
export function startingWith(environment: Environment, prefixes: readonly string[]): Environment {
  const found = new Map<Bytes, Bytes>();
  const letters = prefixes.map((prefix) => prefix.charAt(0)).join('');
  environment.forEach((value, name) => {
    if (!letters.includes(name.charAt(0))) return;
    if (prefixes.some((prefix) => name.startsWith(prefix))) found.set(name, value);
  });
  return found;
}

/** The value of a setting of ours by its key, with the name of the variable it came from; empty values count as absent. */
export function settingOf(environment: Environment, key: string): { name: string; value: Bytes } | null {
  for (const prefix of PREFIXES) {
    const value = environment.get(prefix + key);
    if (value !== undefined && value !== '') return { name: prefix + key, value };
  }
  return null;
}

/** Flags whose variables are added to what the command line gave, behind it (runtime contract §1.3). */
const ADDED: readonly string[] = ['bind', 'mount'];

/**
 * The flags together with those that come from the environment: absent flags are set from their variable, `bind` and `mount` are added.
 * @throws DomainError (status 255) when a variable of a switch is no truth value
 */
export function withEnvironment(
  flags: readonly Flag[],
  given: FlagValues,
  environment: Environment,
): FlagValues {
  const settings = startingWith(environment, PREFIXES);
  if (settings.size === 0) return given;
  const values = new Map(given);
  for (const flag of flags) {
    const before = values.get(flag.name);
    if (before !== undefined && !ADDED.includes(flag.name)) continue;
    for (const key of flag.keys ?? []) {
      const setting = settingOf(settings, key);
      if (setting === null) continue;
      values.set(flag.name, merged(flag, values.get(flag.name), setting));
      if (!ADDED.includes(flag.name)) break;
    }
  }
  return values;
}

function merged(
  flag: Flag,
  before: FlagValue | undefined,
  setting: { name: string; value: Bytes },
): FlagValue {
  if (flag.takes !== 'nothing')
    return {
      flag,
      on: true,
      texts: [...(before?.texts ?? []), setting.value],
      givenBy: before?.givenBy ?? setting.name,
    };
  const on = parseTruth(setting.value);
  if (on === null)
    throw refusal(
      `invalid argument "${setting.value}" for "--${flag.name}" flag: expected true or false for ${setting.name}`,
    );
  return { flag, on, texts: [], givenBy: setting.name };
}

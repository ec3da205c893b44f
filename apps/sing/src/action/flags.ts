import type { Flag, Flags } from '#libs/cli';
import { ACTION_FLAGS, FETCH_FLAGS, INSTANCE_FLAGS, type RuntimeFlag, type Verb } from '#libs/runtime';

/** Flags of an action verb in the form of this command line. */
export function actionFlags(verb: Verb): Flags {
  return flagsOf(ACTION_FLAGS.filter(({ verbs }) => verbs === undefined || verbs.includes(verb)));
}

/**
 * Flags of the native part in the form of this command line. The table is the runtime's own, so that help, completion and
 * the native parser never differ. What it knows but does not offer is hidden here, and refused by the native part.
 */
export function flagsOf(table: readonly RuntimeFlag[]): Flags {
  const flags: Record<string, Flag> = {};
  for (const flag of table) {
    const common = {
      summary: flag.summary ?? 'not offered',
      hidden: flag.summary === undefined,
      ...(flag.short === undefined ? {} : { short: flag.short }),
      ...(flag.aliases === undefined ? {} : { aliases: flag.aliases }),
      // Of the others the native part reads the variables itself.
      ...(FETCH_FLAGS.includes(flag) && flag.keys !== undefined ? { env: flag.keys } : {}),
    };
    const value = flag.value ?? 'VALUE';
    if (flag.takes === 'nothing') flags[flag.name] = { ...common, type: 'boolean' };
    else if (flag.takes === 'value') flags[flag.name] = { ...common, type: 'string', value };
    // Lists stay as they were typed: the native part splits them.
    else flags[flag.name] = { ...common, type: 'list', value };
  }
  return flags;
}

/**
 * Words of flags without those that were for the fetching alone: the native part has nothing to do with them, and a password among
 * its words could be read by everybody for as long as the container runs.
 */
export function withoutFetchFlags(words: readonly string[]): readonly string[] {
  const kept: string[] = [];
  for (let index = 0; index < words.length;) {
    const word = words[index] ?? '';
    const length = takesNext(word) ? 2 : 1;
    const name = /^--([^=]+)/.exec(word)?.[1];
    if (!FETCH_FLAGS.some((flag) => flag.name === name)) kept.push(...words.slice(index, index + length));
    index += length;
  }
  return kept;
}

/** Flags of whatever starts a container. */
const KNOWN: readonly RuntimeFlag[] = [...ACTION_FLAGS, ...INSTANCE_FLAGS.start];

/** Whether the word behind this one is the value of a flag. */
function takesNext(word: string): boolean {
  const long = /^--([^=]+)(=)?/.exec(word);
  if (long !== null) {
    const flag = KNOWN.find(
      ({ name, aliases }) => name === long[1] || aliases?.includes(long[1] ?? '') === true,
    );
    return long[2] === undefined && flag !== undefined && flag.takes !== 'nothing';
  }
  if (!/^-./.test(word)) return false;
  // Of joined letters the first that takes a value takes what is left of the word.
  const letters = word.slice(1);
  const at = letters
    .split('')
    .findIndex((letter) => KNOWN.some(({ short, takes }) => short === letter && takes !== 'nothing'));
  return at >= 0 && at === letters.length - 1;
}

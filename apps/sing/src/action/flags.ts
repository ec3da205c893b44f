import type { Flag, Flags } from '#libs/cli';
import { ACTION_FLAGS, type Verb } from '#libs/runtime';

/**
 * Flags of an action verb in the form of this command line. The table is the runtime's own, so that help, completion and
 * the native parser never differ. What it knows but does not offer is hidden here, and refused by the native part.
 */
export function actionFlags(verb: Verb): Flags {
  const flags: Record<string, Flag> = {};
  for (const flag of ACTION_FLAGS) {
    if (flag.verbs !== undefined && !flag.verbs.includes(verb)) continue;
    const common = {
      summary: flag.summary ?? 'not offered',
      hidden: flag.summary === undefined,
      ...(flag.short === undefined ? {} : { short: flag.short }),
      ...(flag.aliases === undefined ? {} : { aliases: flag.aliases }),
    };
    const value = flag.value ?? 'VALUE';
    if (flag.takes === 'nothing') flags[flag.name] = { ...common, type: 'boolean' };
    else if (flag.takes === 'value') flags[flag.name] = { ...common, type: 'string', value };
    // Lists stay as they were typed: the native part splits them.
    else flags[flag.name] = { ...common, type: 'list', value };
  }
  return flags;
}

import type { MemoryMongo } from './memory-mongo.js';
import { unserved } from './mongo-plan.js';
import type { Asked } from './sqlite-statements.js';

/*
 * That a service stays as fast with much as with little: whatever it is asked, each of its reads is a stretch of an index.
 */

/** What was asked of a MongoDB and is not read from one stretch of an index, with the reason. */
export function unservedOf(mongo: MemoryMongo): string[] {
  return mongo.commands.flatMap((command) => {
    const why = unserved(command, (name) => mongo.indexesOf(name));
    return why === undefined ? [] : [`${why}: ${JSON.stringify(command)}`];
  });
}

/** `collection.index` of what was asked, but for those of audit trails. */
export function hintsOf(mongo: MemoryMongo): string[] {
  return named(
    mongo.commands
      .filter(({ hint }) => hint !== undefined)
      .map(({ find, hint }) => `${String(find)}.${String(hint).slice('scs_'.length)}`),
  );
}

/**
 * Statements of SQLite that are not one walk along an index, without sorting.
 * @param how `search` where each has to begin and to end somewhere; `scan` where lists of all there is are asked for, too
 */
export function unindexedOf(
  plans: ReadonlyMap<string, readonly string[]>,
  how: 'search' | 'scan',
): [string, readonly string[]][] {
  const walk =
    how === 'search'
      ? /^SEARCH \w+ USING (?:COVERING )?INDEX /
      : /^(?:SEARCH|SCAN) \w+ USING (?:COVERING )?INDEX /;
  return [...plans].filter(([, steps]) => steps.length !== 1 || !walk.test(steps[0] ?? ''));
}

/** The same of SQLite as {@link hintsOf}. */
export function indexesOf(plans: ReadonlyMap<string, readonly string[]>): string[] {
  return named(
    [...plans.values()].flat().flatMap((step) => / INDEX ([a-z]\w+\.\w+)(?: |$)/.exec(step)?.[1] ?? []),
  );
}

/** Statements that neither are of one document nor have a limit. */
export function endlessOf(asked: readonly Asked[]): string[] {
  return asked.filter(({ sql }) => !/ WHERE id = \?$| LIMIT \? \+ 0$/.test(sql)).map(({ sql }) => sql);
}

const named = (names: readonly string[]): string[] =>
  [...new Set(names)].filter((name) => !name.startsWith('audit')).toSorted();

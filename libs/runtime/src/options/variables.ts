import type { Bytes } from '../plan.js';
import { usageError } from '../refusal.js';
import { csvFields } from './csv.js';

/** A variable for the container. */
export interface Variable {
  readonly name: Bytes;
  readonly value: Bytes;
}

/**
 * Reads one value of `--env`: `NAME=value`, or several separated by commas when there is more than one `=` (quotes keep commas together).
 * @throws DomainError (usage, status 1) for an entry without `=`
 */
export function parseVariables(text: Bytes, command: string): readonly Variable[] {
  const single = text.indexOf('=') === text.lastIndexOf('=');
  const entries = single ? [unquoted(text)] : csvFields(text);
  const wrong = (entry: Bytes): Error =>
    usageError(
      command,
      `invalid argument "${text}" for "--env" flag: ${entry} must be formatted as key=value`,
    );
  if (entries === null) throw wrong(text);
  return entries.map((entry) => {
    const equals = entry.indexOf('=');
    if (equals < 1) throw wrong(entry);
    return { name: entry.slice(0, equals), value: entry.slice(equals + 1) };
  });
}

function unquoted(text: Bytes): Bytes {
  return text.length > 1 && text.startsWith('"') && text.endsWith('"') ? text.slice(1, -1) : text;
}

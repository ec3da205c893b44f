import type { Bytes } from '../plan.js';

/** A text as one literal word of the shell. */
export function quoted(text: Bytes): Bytes {
  return `'${text.split("'").join(`'\\''`)}'`;
}

/** A text in double quotes, so that the shell still evaluates `$NAME`, `$(command)` and backslashes in it. */
export function evaluated(text: Bytes): Bytes {
  return `"${text.split('"').join('\\"')}"`;
}

/** Whether the shell would make something else of a text in double quotes. */
export function isActive(text: Bytes): boolean {
  return text.includes('$') || text.includes('`') || text.includes('\\');
}

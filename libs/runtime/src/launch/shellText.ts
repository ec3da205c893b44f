import type { Bytes } from '../plan.js';

/** A text as one literal word of the shell. */
export function quoted(text: Bytes): Bytes {
  return `'${text.split("'").join(`'\\''`)}'`;
}

/**
 * A text in double quotes, so that the shell still evaluates `$NAME`, `$(command)` and backslashes in it. A quote that a backslash stands before is one already,
 * and a backslash at the end stands for itself: neither may end the quotes too early or too late.
 */
export function evaluated(text: Bytes): Bytes {
  let inside = '';
  for (let index = 0; index < text.length; index += 1) {
    const character = text.charAt(index);
    if (character === '\\') {
      index += 1;
      inside += `\\${index < text.length ? text.charAt(index) : '\\'}`;
    } else {
      inside += character === '"' ? '\\"' : character;
    }
  }
  return `"${inside}"`;
}

/** Whether the shell would make something else of a text in double quotes. */
export function isActive(text: Bytes): boolean {
  return text.includes('$') || text.includes('`') || text.includes('\\');
}

import type { Bytes } from '../plan.js';

/**
 * The fields of one line of comma separated values: a field may stand in double quotes, where commas and newlines count as text and `""`
 * is a quote. Null when a quote is not closed, or something else than a comma follows it.
 */
export function csvFields(line: Bytes): readonly Bytes[] | null {
  const fields: Bytes[] = [];
  let index = 0;
  for (;;) {
    if (line.charAt(index) === '"') {
      const quoted = quotedField(line, index + 1);
      if (quoted === null) return null;
      fields.push(quoted.text);
      index = quoted.end;
      if (index < line.length && line.charAt(index) !== ',') return null;
    } else {
      const comma = line.indexOf(',', index);
      const end = comma < 0 ? line.length : comma;
      fields.push(line.slice(index, end));
      index = end;
    }
    if (index >= line.length) return fields;
    index += 1;
  }
}

function quotedField(line: Bytes, start: number): { text: Bytes; end: number } | null {
  let text = '';
  let index = start;
  while (index < line.length) {
    const character = line.charAt(index);
    if (character !== '"') {
      text += character;
      index += 1;
    } else if (line.charAt(index + 1) === '"') {
      text += '"';
      index += 2;
    } else {
      return { text, end: index + 1 };
    }
  }
  return null;
}

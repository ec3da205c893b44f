import { type Output, printable } from '#libs/cli';

/** Lines `Name:  value`, the values below each other; a value that is empty is a dash. */
export function printFields(out: Output, fields: readonly (readonly [string, string])[]): void {
  const width = Math.max(...fields.map(([name]) => name.length)) + 3;
  for (const [name, value] of fields)
    out.line(`${`${name}:`.padEnd(width)}${value === '' ? '-' : printable(value)}`);
}

export function yesNo(value: boolean): string {
  return value ? 'yes' : 'no';
}

/** A column that is marked or empty. */
export function mark(value: boolean): string {
  return value ? '✓' : '';
}

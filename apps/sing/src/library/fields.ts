import { type Output, printable } from '#libs/cli';

/** Names and values below each other; a value that is empty is a dash. */
export function fields(out: Output, lines: readonly (readonly [string, string])[]): void {
  const width = Math.max(...lines.map(([name]) => name.length)) + 3;
  for (const [name, value] of lines)
    out.line(`${`${name}:`.padEnd(width)}${value === '' ? '-' : printable(value)}`);
}

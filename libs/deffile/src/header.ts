import { fault } from './fault.js';
import { didYouMean } from './nearest.js';
import type { Header } from './model.js';

const KEYWORDS = new Set(
  (
    'bootstrap from stage include includecmd mirrorurl updateurl osversion library registry namespace product user ' +
    'regcode productpgp registerurl modules fingerprints setopt'
  ).split(' '),
);
const NUMBERED = /^otherurl[0-9]+$/;

const isComment = (line: string): boolean => line.trimStart().startsWith('#');

/**
 * Reads `key: value` lines (contract §2).
 * @param lines the header's lines without line ends
 * @param firstLine number of the first of them in the file
 * @returns undefined when there is nothing but blank lines and comments
 * @throws DomainError `bad_request` that names the keyword and the line
 */
export function parseHeader(lines: readonly string[], firstLine: number): Header | undefined {
  const header = new Map<string, string>();
  for (let index = 0; index < lines.length; index += 1) {
    const line = lines[index] ?? '';
    if (line.trim() === '' || isComment(line)) continue;
    const number = firstLine + index;
    const colon = withoutComment(line).indexOf(':');
    if (colon < 0)
      throw fault(
        `failed to parse deffile header: header key ${withoutComment(line).trim()} had no val`,
        number,
        'A line of the header is a keyword, a colon and a value, as in bootstrap: library. Lines of a section stand below its title, as in %post.',
      );
    const key = line.slice(0, colon).trim().toLowerCase();
    if (!KEYWORDS.has(key) && !NUMBERED.test(key)) {
      throw fault(
        `failed to parse deffile header: invalid header keyword found: ${key}`,
        number,
        `${didYouMean(key, KEYWORDS)}A header has bootstrap: and from:, and what the base needs.`,
      );
    }
    const { value, last } = readValue(lines, index, colon + 1, firstLine);
    header.set(key, value);
    index = last;
  }
  return header.size === 0 ? undefined : header;
}

/** Everything after any `#` is cut, even inside a URL: the stock parser does so (contract §2.1). */
function withoutComment(line: string): string {
  const hash = line.indexOf('#');
  return hash < 0 ? line : line.slice(0, hash);
}

/** The value that begins at `from` of line `index`, with its continuation lines. */
function readValue(
  lines: readonly string[],
  index: number,
  from: number,
  firstLine: number,
): { value: string; last: number } {
  let value = withoutComment(lines[index] ?? '')
    .slice(from)
    .trim();
  let last = index;
  while (value.endsWith('\\')) {
    last += 1;
    const next = lines[last];
    if (next === undefined || next.trim() === '' || isComment(next)) {
      throw fault(
        'failed to parse deffile header: expected a line that continues the value',
        firstLine + last - 1,
        'A value that ends with a backslash goes on in the next line: remove the backslash, or the empty line or comment below it.',
      );
    }
    // `\n\` at the end stands for a line feed, a plain `\` joins without a space.
    const joined = value.endsWith('\\n\\') ? `${value.slice(0, -3)}\n` : value.slice(0, -1);
    value = joined + withoutComment(next).trim();
  }
  return { value, last };
}

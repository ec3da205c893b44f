import { fault } from './fault.js';
import { LIMITS } from './limits.js';

/** A section as it stands in the text, or the header (`title` undefined) before the first one. */
export interface RawSection {
  /** The line that begins with `%`, or undefined for the header. */
  readonly title: string | undefined;
  /** Lines below the title, without line ends. */
  readonly body: readonly string[];
  /** Line of the file that holds the title (for the header: its first line). */
  readonly line: number;
}

/** Cuts a stage before every line whose first word begins with `%` (contract §1.3, §1.4). @throws DomainError `bad_request` */
export function splitSections(text: string, firstLine: number): RawSection[] {
  const lines = text.split('\n');
  if (lines.at(-1) === '') lines.pop();
  const sections: { title: string | undefined; body: string[]; line: number }[] = [
    { title: undefined, body: [], line: firstLine },
  ];
  for (const [index, line] of lines.entries()) {
    if (line.trimStart().startsWith('%')) sections.push({ title: line, body: [], line: firstLine + index });
    else sections.at(-1)?.body.push(line);
  }
  const header = sections[0];
  // Without a header the whole text is trimmed first, so that an indented first section counts.
  if (header?.body.every((line) => line.trim() === '') === true) {
    const first = sections[1];
    if (first?.title !== undefined) first.title = first.title.trimStart();
  }
  for (const [index, section] of sections.entries()) checkSize(section, index === sections.length - 1);
  return sections;
}

function checkSize(section: RawSection, last: boolean): void {
  const lines = section.title === undefined ? section.body : [section.title, ...section.body];
  const bytes = lines.reduce((sum, line) => sum + Buffer.byteLength(line) + 1, 0);
  const limit = last && section.title !== undefined ? LIMITS.lastSectionBytes : LIMITS.sectionBytes;
  if (bytes > limit)
    throw fault(
      `bufio.Scanner: token too long: a section may hold ${limit} bytes, got ${bytes}`,
      section.line,
      'Put long scripts into a file, bring it in with %files, and run it in %post.',
    );
}

/** Name and arguments of a title line: only a space ends the name, a tab does not (contract §3.1). */
export function splitTitle(title: string): { name: string; args: string } {
  const text = title.replace(/^%+/, '');
  const space = text.indexOf(' ');
  if (title.startsWith(' ') || title.startsWith('\t')) return { name: '', args: '' };
  return space < 0
    ? { name: text, args: '' }
    : { name: text.slice(0, space), args: text.slice(space + 1).trim() };
}

import { fault } from './fault.js';
import type { FileBlock, FileTransfer } from './model.js';

// A word is a run of non-blanks, in which `{{ name }}` keeps its blanks; or anything between double quotes.
const WORD = /"([^"]*)"|((?:\{\{\s*\w+\s*\}\}|[^\s"])+)/gy;

/**
 * Reads the lines of a `%files` section (contract §3.2). Trailing comments are not cut and words after the second are
 * ignored, as the stock parser does.
 * @throws DomainError `bad_request` for an unbalanced quote
 */
export function parseTransfers(lines: readonly string[], firstLine: number): FileTransfer[] {
  const transfers: FileTransfer[] = [];
  for (const [index, line] of lines.entries()) {
    const trimmed = line.trim();
    if (trimmed === '' || trimmed.startsWith('#')) continue;
    const [source = '', destination = ''] = splitWords(trimmed, firstLine + index);
    transfers.push({ source, destination, line: firstLine + index });
  }
  return transfers;
}

/** Splits at white space; double quotes group and are removed; a word joined to a quoted part splits there. */
function splitWords(text: string, line: number): string[] {
  // Single quotes do not group for the stock parser, except that a blank after one belongs to the next word: `'e f' g`
  // gives `'e f` and `' g` (contract §3.2 rule 3). It pairs them and keeps the first of each pair.
  if (!text.includes('"') && text.includes("'")) return splitSingleQuoted(text);
  const words: string[] = [];
  let at = 0;
  while (at < text.length) {
    if (/\s/.test(text[at] ?? '')) {
      at += 1;
      continue;
    }
    WORD.lastIndex = at;
    const match = WORD.exec(text);
    if (match === null)
      throw fault(
        'failed to parse deffile: %files has an unbalanced double quote',
        line,
        'Put both quotes around a name with blanks, or none.',
      );
    words.push(match[1] ?? match[2] ?? '');
    at = WORD.lastIndex;
  }
  return words;
}

function splitSingleQuoted(text: string): string[] {
  const parts = text.split(/(?<=[^'])(?=')/);
  if (parts.length < 2 || !text.startsWith("'")) return text.split(/\s+/);
  return parts.map((part) => part.trimEnd());
}

/** The stage that `%files <args>` copies from: exactly two words before `#`, the first of which is not `stage`. */
function stageOf(args: string): string | undefined {
  const words = (args.split('#')[0] ?? '').split(/\s+/).filter((word) => word !== '');
  const [first, second] = words;
  return words.length === 2 && first !== 'stage' ? second : undefined;
}

/** Blocks with identical argument text are merged, others kept apart in order (contract §3.1). */
export function mergeBlocks(
  blocks: readonly { args: string; files: readonly FileTransfer[] }[],
): FileBlock[] {
  const merged = new Map<string, FileTransfer[]>();
  for (const block of blocks) {
    const before = merged.get(block.args);
    // Appended, not copied: a file may have a hundred thousand sections of one name.
    if (before === undefined) merged.set(block.args, [...block.files]);
    else for (const file of block.files) before.push(file);
  }
  return [...merged].map(([args, files]) => ({ args, stage: stageOf(args), files }));
}

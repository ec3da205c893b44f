import { fault } from './fault.js';
import { LIMITS } from './limits.js';
import type { Definition, Stage } from './model.js';
import { splitSections, splitTitle } from './sections.js';
import { parseStage } from './stage.js';
import { parseArguments, substitute, tooLong } from './variables.js';

export interface ParseOptions {
  /** Values of `--build-arg` over those of `--build-arg-file`; they win over `%arguments`. */
  readonly buildArguments?: ReadonlyMap<string, string>;
  /** Leave `{{ … }}` as it is: for showing and converting a definition without building it. */
  readonly keepVariables?: boolean;
}

/**
 * Reads a definition file: stages are split on the raw text, variables substituted per stage, then each stage is parsed
 * (definition-file contract §1, §4, §5). What it returns can be shown; whether it can be built is for the build engine.
 * @throws DomainError `bad_request` with the line, in the words of the stock parser where it has some
 */
export function parseDefinition(source: string | Uint8Array, options: ParseOptions = {}): Definition {
  const bytes = typeof source === 'string' ? Buffer.byteLength(source) : source.byteLength;
  if (bytes > LIMITS.fileBytes)
    throw fault(`Expected at most ${LIMITS.fileBytes} bytes for a definition file, got ${bytes}`);
  const raw = typeof source === 'string' ? source : Buffer.from(source).toString('utf8');
  const text = raw.replaceAll('\r\n', '\n');
  // JavaScript would trim a byte-order mark away; for the stock parser it is part of the first keyword (contract §1.1).
  if (text.startsWith('\uFEFF'))
    throw fault(
      'failed to parse deffile header: invalid header keyword found: a byte-order mark',
      1,
      'Save the file as UTF-8 without a byte-order mark.',
    );
  if (text.split('\n').every(isBlankOrComment))
    throw fault('empty definition file', undefined, 'A definition has at least bootstrap: and from:.');
  refuseBareTitle(text);

  const warnings: string[] = [];
  const used = new Set<string>();
  const stages: Stage[] = [];
  let size = 0;
  for (const part of splitStages(text)) {
    const substituted =
      options.keepVariables === true ? part.text : substituteStage(part, options, used, warnings);
    size += Buffer.byteLength(substituted);
    if (size > LIMITS.fileBytes) throw tooLong();
    stages.push(parseStage(substituted, part.line));
  }
  const unused = [...(options.buildArguments?.keys() ?? [])].filter((name) => !used.has(name));
  if (unused.length > 0 && options.keepVariables !== true)
    warnings.push(`Unused build variables: ${unused.join(', ')}`);
  return { stages, text: stages.map((stage) => stage.text).join(''), warnings };
}

const isBlankOrComment = (line: string): boolean => line.trim() === '' || line.trimStart().startsWith('#');

function refuseBareTitle(text: string): void {
  const trimmed = text.trimStart();
  if (trimmed.startsWith('%') && !trimmed.includes('\n')) {
    throw fault(
      `section ${trimmed}: could not be split into section name and body`,
      1,
      'Put the lines of the section below its title.',
    );
  }
}

/** A stage begins at every line that matches `bootstrap:` in column 0, in any case (contract §4.1). */
function splitStages(text: string): { text: string; line: number }[] {
  const parts: { text: string; line: number }[] = [];
  let line = 1;
  for (const part of text.split(/^(?=bootstrap:)/im)) {
    // Text above the first `bootstrap:` is a stage of its own unless it is blank or comment.
    if (!part.split('\n').every(isBlankOrComment)) parts.push({ text: part, line });
    line += part.split('\n').length - 1;
  }
  if (parts.length > LIMITS.stages)
    throw fault(`Expected at most ${LIMITS.stages} stages, got ${parts.length}`);
  return parts;
}

function substituteStage(
  part: { text: string; line: number },
  options: ParseOptions,
  used: Set<string>,
  warnings: string[],
): string {
  const own = splitSections(part.text, part.line)
    .filter(
      (section) =>
        section.title !== undefined && splitTitle(section.title).name.toLowerCase() === 'arguments',
    )
    .flatMap((section) => section.body)
    .join('\n');
  const defaults = parseArguments(own);
  warnings.push(...defaults.warnings);
  return substitute(part.text, new Map([...defaults.values, ...(options.buildArguments ?? [])]), used);
}

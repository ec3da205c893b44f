import { fault } from './fault.js';
import { mergeBlocks, parseTransfers } from './files.js';
import { didYouMean } from './nearest.js';
import { parseHeader } from './header.js';
import {
  APP_SECTIONS,
  type App,
  type AppSection,
  type FileTransfer,
  type Piece,
  SCRIPT_SECTIONS,
  type Script,
  type ScriptSection,
  type Stage,
} from './model.js';
import { type RawSection, splitSections, splitTitle } from './sections.js';

const isScript = (name: string): name is ScriptSection =>
  (SCRIPT_SECTIONS as readonly string[]).includes(name);
const isApp = (name: string): name is AppSection => (APP_SECTIONS as readonly string[]).includes(name);

/** A section whose name is known to be one. */
interface NamedSection extends RawSection {
  readonly name: string;
  readonly args: string;
}

/**
 * Reads one stage: header and sections.
 * @param text the stage after substitution
 * @param firstLine its first line in the file, for messages
 * @throws DomainError `bad_request`
 */
export function parseStage(text: string, firstLine: number): Stage {
  const [head, ...raw] = splitSections(text, firstLine);
  const sections = nameSections(raw);
  const header = parseHeader(head?.body ?? [], head?.line ?? firstLine);
  const scripts = new Map<ScriptSection, GrowingScript>();
  const apps = new Map<string, Map<AppSection, GrowingScript>>();
  const blocks: { args: string; files: FileTransfer[] }[] = [];
  const labels = new Map<string, string>();
  for (const section of sections) {
    const { name, args } = section;
    if (name === 'files') blocks.push({ args, files: parseTransfers(section.body, section.line + 1) });
    else if (name === 'labels') addLabels(labels, section.body);
    else if (isScript(name)) addScript(scripts, name, section, args);
    else if (isApp(name)) addApp(apps, name, section);
  }
  return {
    name: header?.get('stage'),
    header,
    scripts,
    labels,
    files: mergeBlocks(blocks),
    apps: [...apps].map(([name, sections]): App => ({ name, sections })),
    text,
    line: firstLine,
  };
}

/** All unknown names are reported at once, as the stock parser does. */
function nameSections(sections: readonly RawSection[]): NamedSection[] {
  const named = sections.map((section) => {
    const { name, args } = splitTitle(section.title ?? '');
    // App titles must be lower case; all others may be written in any case (contract §3.1).
    return {
      ...section,
      name: isApp(name) ? name : knownName(name.toLowerCase()),
      shown: name.toLowerCase(),
      args,
    };
  });
  const unknown = named.filter((section) => section.name === undefined);
  if (unknown.length > 0) {
    throw fault(
      `invalid section(s) specified: ${unknown.map((section) => section.shown).join(', ')}`,
      unknown[0]?.line,
      remedyFor(unknown[0]?.shown ?? ''),
    );
  }
  return named.map((section) => ({ ...section, name: section.name ?? '' }));
}

const OTHER_NAMES = ['labels', 'arguments', 'files'] as const;

function remedyFor(name: string): string {
  return name === ''
    ? 'The title of a section begins in the first column. In a script no line may begin with %, not even after blanks: the stock programs take it for a title.'
    : `${didYouMean(name, [...SCRIPT_SECTIONS, ...OTHER_NAMES, ...APP_SECTIONS])}A line that begins with % is the title of a section, also in the middle of a script.`;
}

function knownName(name: string): string | undefined {
  return isScript(name) || name === 'labels' || name === 'arguments' || name === 'files' ? name : undefined;
}

/** A script to which sections of its name are still added: appended, since a file may have a hundred thousand of them. */
interface GrowingScript extends Script {
  args: string;
  script: string;
  readonly pieces: Piece[];
}

function addScript<K>(scripts: Map<K, GrowingScript>, name: K, section: NamedSection, args: string): void {
  const text = section.body.map((line) => `${line}\n`).join('');
  const script = scripts.get(name) ?? { args: '', script: '', pieces: [] };
  if (args !== '') script.args = args;
  script.script += text;
  script.pieces.push({ line: section.line + 1, text });
  scripts.set(name, script);
}

function addApp(
  apps: Map<string, Map<AppSection, GrowingScript>>,
  kind: AppSection,
  section: NamedSection,
): void {
  const [appName] = (section.args.split('#')[0] ?? '').trim().split(/\s+/);
  if (appName === undefined || appName === '') {
    throw fault(
      `app section ${kind}: could not be split into section name and app name`,
      section.line,
      `Name the app in the title, as in %${kind} NAME.`,
    );
  }
  const sections = apps.get(appName) ?? new Map<AppSection, GrowingScript>();
  apps.set(appName, sections);
  addScript(sections, kind, section, '');
}

/** One label per line: the name ends at the first space, the last of equal names wins (contract §3.3). */
function addLabels(labels: Map<string, string>, lines: readonly string[]): void {
  for (const line of lines) {
    const trimmed = line.trim();
    if (trimmed === '' || trimmed.startsWith('#')) continue;
    const space = trimmed.indexOf(' ');
    if (space < 0) labels.set(trimmed, '');
    else labels.set(trimmed.slice(0, space), trimmed.slice(space + 1).trim());
  }
}

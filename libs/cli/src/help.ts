import type { Command, Example, Group, Node, Positional, Program } from './command.js';
import type { Flag, Flags } from './flags.js';
import { globalFlags, visible } from './tree.js';

const WIDTH = 100;

/** Help of the whole program. */
export function programHelp(program: Program): string {
  return sections([
    `${program.name} ${program.version} - ${program.summary}`,
    `Usage:\n  ${program.name} [global flags] <command> [flags] [arguments]`,
    program.description === undefined ? '' : wrap(program.description, ''),
    `Commands:\n${commandList(program.commands)}`,
    `Global flags (before the command):\n${flagList(globalFlags(program))}`,
    exampleList(program.examples),
    `Run '${program.name} help <command>' for more about a command.`,
  ]);
}

/** Help of a noun: its verbs. */
export function groupHelp(program: Program, group: Group, path: readonly string[]): string {
  const words = [program.name, ...path].join(' ');
  return sections([
    sentence(group.summary),
    `Usage:\n  ${words} <command> [flags] [arguments]${aliases(group)}`,
    group.description === undefined ? '' : wrap(group.description, ''),
    `Commands:\n${commandList(group.commands)}`,
    exampleList(group.examples),
    `Run '${program.name} help ${path.join(' ')} <command>' for more about a command.`,
  ]);
}

/** Help of a command: usage, flags and examples. */
export function commandHelp(program: Program, command: Command, path: readonly string[]): string {
  return sections([
    sentence(command.summary),
    `Usage:\n  ${usageLine(program, command, path)}${aliases(command)}`,
    command.description === undefined ? '' : wrap(command.description, ''),
    command.positionals.length === 0 ? '' : `Arguments:\n${positionalList(command.positionals)}`,
    `Flags:\n${flagList({ ...command.flags, help: { type: 'boolean', short: 'h', summary: 'show this help' } })}`,
    exampleList(command.examples),
  ]);
}

/** `sing key push [flags] <fingerprint>` */
export function usageLine(program: Program, command: Command, path: readonly string[]): string {
  const words = [program.name, ...path];
  if (Object.values(command.flags).some((flag) => flag.hidden !== true)) words.push('[flags]');
  return [...words, ...command.positionals.map(positionalText)].join(' ');
}

/** How a positional stands in a usage line. */
export function positionalText(positional: Positional): string {
  const dots = positional.rest === true ? '...' : '';
  return positional.optional === true ? `[${positional.name}${dots}]` : `<${positional.name}${dots}>`;
}

/** `-s, --secret` or `    --url URI` */
export function flagTitle(name: string, flag: Flag): string {
  const value = flag.type === 'boolean' ? '' : ` ${flag.value}`;
  return `${flag.short === undefined ? '    ' : `-${flag.short}, `}--${name}${value}`;
}

/** Summary with the facts that the table holds: choices, default, repetition. */
export function flagSummary(flag: Flag): string {
  const facts: string[] = [];
  if (flag.type === 'string' && flag.choices !== undefined) facts.push(`one of ${flag.choices.join(', ')}`);
  if ((flag.type === 'string' || flag.type === 'integer') && flag.default !== undefined)
    facts.push(`default ${flag.default}`);
  if (flag.type === 'list') facts.push(flag.commas === true ? 'repeatable, or with commas' : 'repeatable');
  return facts.length === 0 ? flag.summary : `${flag.summary} (${facts.join('; ')})`;
}

/** Flags that people see. */
export function visibleFlags(flags: Flags): readonly (readonly [string, Flag])[] {
  return Object.entries(flags).filter(([, flag]) => flag.hidden !== true);
}

/** First letter large, full stop at the end. */
export function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}${text.endsWith('.') ? '' : '.'}`;
}

/** Breaks paragraphs at {@link WIDTH} columns; lines that begin with a blank stay as they are. */
function wrap(text: string, indent: string): string {
  return text
    .trim()
    .split('\n')
    .map((line) => (line.startsWith(' ') ? line : wrapLine(line, indent)))
    .join('\n');
}

function wrapLine(text: string, indent: string): string {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && indent.length + line.length + 1 + word.length > WIDTH) {
      lines.push(line);
      line = word;
    } else {
      line = line === '' ? word : `${line} ${word}`;
    }
  }
  lines.push(line);
  return lines.join(`\n${indent}`);
}

function aliases(node: Node): string {
  if (node.aliases === undefined || node.aliases.length === 0) return '';
  return `\n\nAliases:\n  ${[node.name, ...node.aliases].join(', ')}`;
}

function commandList(nodes: readonly Node[]): string {
  return columns(visible(nodes).map((node) => [node.name, node.summary]));
}

function positionalList(positionals: readonly Positional[]): string {
  return columns(positionals.map((positional) => [positionalText(positional), positional.summary]));
}

function flagList(flags: Flags): string {
  return columns(visibleFlags(flags).map(([name, flag]) => [flagTitle(name, flag), flagSummary(flag)]));
}

function exampleList(examples: readonly Example[] | undefined): string {
  if (examples === undefined || examples.length === 0) return '';
  return `Examples:\n${examples.map(({ line, summary }) => `  # ${summary}\n  $ ${line}`).join('\n\n')}`;
}

function columns(rows: readonly (readonly [string, string])[]): string {
  const width = Math.min(34, Math.max(0, ...rows.map(([left]) => left.length)));
  const indent = ' '.repeat(width + 5);
  return rows
    .map(([left, right]) => {
      const head = `  ${left.padEnd(width)}`;
      const gap = left.length > width ? `\n${indent}` : '   ';
      return `${head}${gap}${wrap(right, indent)}`;
    })
    .join('\n');
}

function sections(parts: readonly string[]): string {
  return `${parts.filter((part) => part !== '').join('\n\n')}\n`;
}

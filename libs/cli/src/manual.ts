import type { Command, Example, Group, Program } from './command.js';
import type { Flags } from './flags.js';
import { flagSummary, flagTitle, positionalText, sentence, usageLine, visibleFlags } from './help.js';
import { globalFlags, walk } from './tree.js';

/** The manual page of a program (section 1) in man macros, made from the command objects. */
export function manualPage(program: Program): string {
  const title = program.name.toUpperCase();
  return `${[
    `.TH ${title} 1 "" "${program.name} ${program.version}" "User Commands"`,
    '.SH NAME',
    `${program.name} \\- ${roff(program.summary)}`,
    '.SH SYNOPSIS',
    `.B ${program.name}`,
    '[global flags] command [flags] [arguments]',
    ...(program.description === undefined ? [] : ['.SH DESCRIPTION', roffText(program.description)]),
    '.SH GLOBAL FLAGS',
    ...roffFlags(globalFlags(program)),
    '.SH COMMANDS',
    ...[...walk(program.commands)].flatMap(({ node, path }) => roffCommand(program, node, path)),
    ...roffExamples(program.examples),
  ].join('\n')}\n`;
}

/** The same as one Markdown document, for docs/. Its form is the one that prettier would give it. */
export function manualMarkdown(program: Program): string {
  const blocks = [
    `# ${program.name}`,
    sentence(program.summary),
    'Made from the command objects; do not edit by hand.',
    ...(program.description === undefined ? [] : [paragraphs(program.description)]),
    '## Global flags',
    'They stand before the command.',
    markdownFlags(globalFlags(program)),
    ...markdownExamples(program.examples),
    ...[...walk(program.commands)].flatMap(({ node, path }) => markdownCommand(program, node, path)),
  ];
  return `${blocks.filter((block) => block !== '').join('\n\n')}\n`;
}

function markdownCommand(
  program: Program,
  node: Command | Group,
  path: readonly string[],
): readonly string[] {
  const heading = `${'#'.repeat(Math.min(4, path.length + 1))} ${program.name} ${path.join(' ')}`;
  const aliases =
    node.aliases === undefined || node.aliases.length === 0
      ? ''
      : `Aliases: ${node.aliases.map((alias) => `\`${alias}\``).join(', ')}.`;
  const texts = [
    heading,
    sentence(node.summary),
    node.description === undefined ? '' : paragraphs(node.description),
  ];
  if (node.kind === 'group') return [...texts, aliases];
  return [
    ...texts,
    fence(usageLine(program, node, path)),
    aliases,
    node.positionals
      .map((positional) => `- \`${positionalText(positional)}\`: ${positional.summary}`)
      .join('\n'),
    markdownFlags(node.flags),
    ...markdownExamples(node.examples),
  ];
}

function markdownFlags(flags: Flags): string {
  return visibleFlags(flags)
    .map(([name, flag]) => `- \`${flagTitle(name, flag).trim()}\`: ${escapeMarkdown(flagSummary(flag))}`)
    .join('\n');
}

function markdownExamples(examples: readonly Example[] | undefined): readonly string[] {
  if (examples === undefined || examples.length === 0) return [];
  return [fence(examples.map(({ line, summary }) => `# ${summary}\n${line}`).join('\n\n'))];
}

function fence(text: string): string {
  return `\`\`\`sh\n${text}\n\`\`\``;
}

function paragraphs(text: string): string {
  return text
    .trim()
    .split('\n')
    .map((line) => (line.startsWith(' ') ? `    ${line.trim()}` : escapeMarkdown(line)))
    .join('\n');
}

function escapeMarkdown(text: string): string {
  return text.replace(/[<>*_]/g, (character) => `\\${character}`);
}

function roffCommand(program: Program, node: Command | Group, path: readonly string[]): readonly string[] {
  if (node.kind === 'group') return [];
  return [
    `.SS ${roff(usageLine(program, node, path))}`,
    roff(sentence(node.summary)),
    ...(node.description === undefined ? [] : ['.PP', roffText(node.description)]),
    ...roffFlags(node.flags),
    ...(node.examples ?? []).flatMap(({ line, summary }) => [
      '.PP',
      roff(summary),
      '.RS',
      '.nf',
      roff(line),
      '.fi',
      '.RE',
    ]),
  ];
}

function roffFlags(flags: Flags): readonly string[] {
  return visibleFlags(flags).flatMap(([name, flag]) => [
    '.TP',
    `.B ${roff(flagTitle(name, flag).trim())}`,
    roff(flagSummary(flag)),
  ]);
}

function roffExamples(examples: readonly Example[] | undefined): readonly string[] {
  if (examples === undefined || examples.length === 0) return [];
  return [
    '.SH EXAMPLES',
    ...examples.flatMap(({ line, summary }) => [
      '.PP',
      roff(summary),
      '.RS',
      '.nf',
      roff(line),
      '.fi',
      '.RE',
    ]),
  ];
}

function roffText(text: string): string {
  return text
    .trim()
    .split('\n')
    .map((line) => (line === '' ? '.PP' : roff(line)))
    .join('\n');
}

function roff(text: string): string {
  const escaped = text.replaceAll('\\', '\\e').replaceAll('-', '\\-');
  return /^[.']/.test(escaped) ? `\\&${escaped}` : escaped;
}

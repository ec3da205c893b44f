import type { Node, Program } from './command.js';
import type { Flags } from './flags.js';
import { visibleFlags } from './help.js';
import { globalFlags, visible, walk } from './tree.js';

export const SHELLS = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof SHELLS)[number];

/** A completion script for a shell, made from the command objects: nothing has to run to complete a word. */
export function completionScript(program: Program, shell: Shell): string {
  return { bash, zsh, fish }[shell](program);
}

/** Every place in the tree with the words that may follow it. */
function places(program: Program): readonly { key: string; words: readonly string[]; leaf: boolean }[] {
  const flagWords = (flags: Flags) =>
    visibleFlags(flags).flatMap(([name, flag]) => [
      `--${name}`,
      ...(flag.short === undefined ? [] : [`-${flag.short}`]),
    ]);
  const names = (nodes: readonly Node[]) =>
    visible(nodes).flatMap((node) => [node.name, ...(node.aliases ?? [])]);
  return [
    {
      key: '',
      words: [...names(program.commands), 'help', ...flagWords(globalFlags(program)), '--help'],
      leaf: false,
    },
    ...[...walk(program.commands)].map(({ node, path }) => ({
      key: path.join(' '),
      words:
        node.kind === 'group' ? [...names(node.commands), '--help'] : [...flagWords(node.flags), '--help'],
      leaf: node.kind === 'command',
    })),
  ];
}

function bash(program: Program): string {
  const fn = `_${program.name}`;
  const cases = places(program).map(
    ({ key, words, leaf }) =>
      `    ${quote(key)}) words=${quote(words.join(' '))}; files=${leaf ? 'yes' : 'no'} ;;`,
  );
  const aliases = [...walk(program.commands)].flatMap(({ node, path }) =>
    (node.aliases ?? []).map(
      (alias) => `      ${quote([...path.slice(0, -1), alias].join(' '))}) key=${quote(path.join(' '))} ;;`,
    ),
  );
  const known = places(program)
    .map(({ key }) => key)
    .filter((key) => key !== '');
  return `# bash completion for ${program.name}; source it or put it into /usr/share/bash-completion/completions/
${fn}() {
  local current=\${COMP_WORDS[COMP_CWORD]} key= try index words= files=no
  for ((index = 1; index < COMP_CWORD; index++)); do
    case \${COMP_WORDS[index]} in
    -*) [ -n "$key" ] && break || continue ;;
    esac
    try=\${key:+$key }\${COMP_WORDS[index]}
    case $try in
${aliases.join('\n').replaceAll('      ', '    ')}
${known.map((key) => `    ${quote(key)}) key=$try ;;`).join('\n')}
    *) break ;;
    esac
  done
  case $key in
${cases.join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
  if [ "$files" = yes ] && [[ $current != -* ]]; then
    COMPREPLY=($(compgen -f -- "$current"))
    compopt -o filenames 2>/dev/null
  fi
}
complete -F ${fn} ${program.name}
`;
}

function zsh(program: Program): string {
  // zsh runs bash completions through its own compatibility layer; one table serves both.
  return `#compdef ${program.name}
autoload -U +X bashcompinit && bashcompinit
${bash(program)}`;
}

function fish(program: Program): string {
  const { name } = program;
  const lines = [`# fish completion for ${name}`];
  const top = visible(program.commands).flatMap((node) => [node.name, ...(node.aliases ?? [])]);
  const none = `not __fish_seen_subcommand_from ${[...top, 'help'].join(' ')}`;
  for (const node of visible(program.commands)) {
    lines.push(`complete -c ${name} -f -n ${quote(none)} -a ${quote(node.name)} -d ${quote(node.summary)}`);
  }
  for (const [flag, spec] of visibleFlags(globalFlags(program))) {
    lines.push(fishFlag(name, none, flag, spec));
  }
  for (const { node, path } of walk(program.commands)) {
    const seen = path
      .map((word, depth) => {
        const here = depth === path.length - 1 ? [word, ...(node.aliases ?? [])] : [word];
        return `__fish_seen_subcommand_from ${here.join(' ')}`;
      })
      .join('; and ');
    if (node.kind === 'command') {
      for (const [flag, spec] of visibleFlags(node.flags)) lines.push(fishFlag(name, seen, flag, spec));
      continue;
    }
    const verbs = visible(node.commands).map((each) => each.name);
    const open = `${seen}; and not __fish_seen_subcommand_from ${verbs.join(' ')}`;
    for (const each of visible(node.commands)) {
      lines.push(`complete -c ${name} -f -n ${quote(open)} -a ${quote(each.name)} -d ${quote(each.summary)}`);
    }
  }
  return `${lines.join('\n')}\n`;
}

function fishFlag(program: string, when: string, name: string, flag: Flags[string]): string {
  const short = flag.short === undefined ? '' : ` -s ${flag.short}`;
  const value = flag.type === 'boolean' ? '' : ' -r';
  return `complete -c ${program} -n ${quote(when)} -l ${name}${short}${value} -d ${quote(flag.summary)}`;
}

function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

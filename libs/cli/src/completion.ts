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

/** A place in the tree with what may follow it. */
interface Place {
  /** Words up to it; empty at the top. */
  readonly key: string;
  readonly names: readonly Node[];
  readonly flags: Flags;
  /** Files may follow. */
  readonly leaf: boolean;
}

function places(program: Program): readonly Place[] {
  return [
    { key: '', names: visible(program.commands), flags: globalFlags(program), leaf: false },
    ...[...walk(program.commands)].map(({ node, path }) =>
      node.kind === 'group'
        ? { key: path.join(' '), names: visible(node.commands), flags: {}, leaf: false }
        : { key: path.join(' '), names: [], flags: node.flags, leaf: true },
    ),
  ];
}

/** Aliases as whole paths, with the path that they stand for. */
function aliases(program: Program): readonly (readonly [alias: string, key: string])[] {
  return [...walk(program.commands)].flatMap(({ node, path }) =>
    (node.aliases ?? []).map((alias) => [[...path.slice(0, -1), alias].join(' '), path.join(' ')] as const),
  );
}

const spellings = ([name, flag]: readonly [string, Flags[string]]): string[] => [
  `--${name}`,
  ...(flag.short === undefined ? [] : [`-${flag.short}`]),
];

/** Flags whose next word is their value. */
const withValue = (flags: Flags): string[] =>
  visibleFlags(flags)
    .filter(([, flag]) => flag.type !== 'boolean')
    .flatMap(spellings);

const namesOf = (nodes: readonly Node[]): string[] =>
  nodes.flatMap((node) => [node.name, ...(node.aliases ?? [])]);

function bash(program: Program): string {
  const fn = `_${program.name}`;
  const all = places(program);
  const cases = all.map(({ key, names, flags, leaf }) => {
    const verbs = [...namesOf(names), ...(key === '' ? ['help'] : [])].join(' ');
    const words = [...visibleFlags(flags).flatMap(spellings), '--help'].join(' ');
    return `  ${quote(key)}) verbs=${quote(verbs)} flags=${quote(words)} values=${quote(withValue(flags).join(' '))} files=${leaf ? 'yes' : 'no'} ;;`;
  });
  return `# bash completion for ${program.name}; source it or put it into /usr/share/bash-completion/completions/
${fn}() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous= key= try= word= index= help=no verbs= flags= values= files=no
  previous=\${COMP_WORDS[COMP_CWORD - 1]}
  for ((index = 1; index < COMP_CWORD; index++)); do
    word=\${COMP_WORDS[index]}
    case $word in
    -*)
      [ -n "$key" ] && break
      # bash takes --flag=value apart.
      if [ "\${COMP_WORDS[index + 1]}" = "=" ]; then
        index=$((index + 2))
      else
        case ${quote(` ${withValue(globalFlags(program)).join(' ')} `)} in *" $word "*) index=$((index + 1)) ;; esac
      fi
      continue
      ;;
    help)
      if [ -z "$key" ]; then
        help=yes
        continue
      fi
      ;;
    esac
    try=\${key:+$key }$word
    case $try in
${aliases(program)
  .map(([alias, key]) => `    ${quote(alias)}) key=${quote(key)} ;;`)
  .join('\n')}
${all
  .filter(({ key }) => key !== '')
  .map(({ key }) => `    ${quote(key)}) key=$try ;;`)
  .join('\n')}
    *) break ;;
    esac
  done
  case $key in
${cases.join('\n')}
  esac
  if [ $help = yes ]; then
    flags= values= files=no
  fi
  case " $values " in
  *" $previous "*) verbs= flags= files=yes ;;
  esac
  COMPREPLY=($(compgen -W "$verbs $flags" -- "$current"))
  if [ $files = yes ] && [[ $current != -* ]]; then
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
  const all = places(program);
  const lines = [fishWalker(program, all)];
  for (const { key, names, flags, leaf } of all) {
    const here = `__${name}_at ${quote(key)}`;
    if (!leaf) lines.push(`complete -c ${name} -f -n ${quote(here)}`);
    for (const node of names)
      lines.push(`complete -c ${name} -f -n ${quote(here)} -a ${quote(node.name)} -d ${quote(node.summary)}`);
    for (const [flag, spec] of visibleFlags(flags)) lines.push(fishFlag(name, here, flag, spec));
  }
  return `${lines.join('\n')}\n`;
}

/** Says whether the words so far lead to a place: flags in front of the command are passed over, those behind it end the way. */
function fishWalker(program: Program, all: readonly Place[]): string {
  const { name } = program;
  const keys = all.filter(({ key }) => key !== '').map(({ key }) => quote(key));
  return `# fish completion for ${name}; put it into ~/.config/fish/completions/${name}.fish
function __${name}_at
    set -l key ''
    set -l skip no
    for word in (commandline -opc)[2..-1]
        if test $skip = yes
            set skip no
            continue
        end
        if string match -q -- '-*' $word
            test -n "$key"; and break
            contains -- $word ${withValue(globalFlags(program)).join(' ')}; and set skip yes
            continue
        end
        test "$key$word" = help; and continue
        set -l try (string trim -- "$key $word")
        switch $try
${aliases(program)
  .map(([alias, key]) => `            case ${quote(alias)}\n                set key ${quote(key)}`)
  .join('\n')}
            case ${keys.join(' ')}
                set key $try
            case '*'
                break
        end
    end
    test "$key" = "$argv[1]"
end`;
}

function fishFlag(program: string, when: string, name: string, flag: Flags[string]): string {
  const short = flag.short === undefined ? '' : ` -s ${flag.short}`;
  const value = flag.type === 'boolean' ? '' : ' -r';
  return `complete -c ${program} -n ${quote(when)} -l ${name}${short}${value} -d ${quote(flag.summary)}`;
}

function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

import type { Command, Group, Node, Program } from './command.js';
import type { Flags } from './flags.js';

/** Where words lead: a command, a noun that waits for its verb, or nowhere. */
export interface Found {
  readonly node: Node | undefined;
  /** Canonical words up to and including the node. */
  readonly path: readonly string[];
  /** What follows. */
  readonly rest: readonly string[];
}

/** Flags in front of the command that every program has (runtime contract §1.1). */
const GLOBAL_FLAGS = {
  debug: { type: 'boolean', short: 'd', env: ['DEBUG'], summary: 'print everything, with stacks of errors' },
  verbose: { type: 'boolean', short: 'v', summary: 'print more' },
  quiet: { type: 'boolean', short: 'q', summary: 'print only warnings and errors' },
  silent: { type: 'boolean', short: 's', summary: 'print only errors' },
  nocolor: { type: 'boolean', summary: 'print without colours' },
  version: { type: 'boolean', summary: 'print the version' },
} as const satisfies Flags;

/** All flags that may stand in front of the command. */
export function globalFlags(program: Program): Flags {
  return { ...GLOBAL_FLAGS, ...program.globals };
}

/** Follows words down the tree as far as they name something; flags end the walk. */
export function find(program: Program, words: readonly string[]): Found {
  let commands = program.commands;
  const path: string[] = [];
  let node: Node | undefined;
  let index = 0;
  for (; index < words.length; index += 1) {
    const word = words[index] ?? '';
    const next = commands.find((each) => each.name === word || each.aliases?.includes(word) === true);
    if (next === undefined) break;
    node = next;
    path.push(next.name);
    if (next.kind === 'command') {
      index += 1;
      break;
    }
    commands = next.commands;
  }
  return { node, path, rest: words.slice(index) };
}

/** What people see in lists. */
export function visible<N extends Node>(nodes: readonly N[]): readonly N[] {
  return nodes.filter((node) => node.hidden !== true);
}

/** Every visible command and group with its words, depth first. */
export function* walk(
  nodes: readonly Node[],
  path: readonly string[] = [],
): Generator<{ readonly node: Command | Group; readonly path: readonly string[] }> {
  for (const node of visible(nodes)) {
    const here = [...path, node.name];
    yield { node, path: here };
    if (node.kind === 'group') yield* walk(node.commands, here);
  }
}

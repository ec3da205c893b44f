import type { Node, Program } from './command.js';
import { main } from './main.js';
import { globalFlags } from './tree.js';

/**
 * Every command line that is answered with a help text, with its answer, so that a small program can print them without
 * starting this one. Lines of text, then the texts:
 *
 *     help <program> <version>
 *     unless <names of variables, any of which may change the answer>
 *     line <exit status> <stdout|stderr> <offset> <bytes> <words>
 *     …
 *     (an empty line)
 *     the texts, to which offset and bytes refer
 *
 * The answers are made by {@link main} itself with an empty environment.
 */
export async function helpIndex(program: Program): Promise<string> {
  const head = [`help ${program.name} ${program.version}`, `unless ${variables(program).join(' ')}`];
  const offsets = new Map<string, number>();
  let end = 0;
  for (const words of helpLines(program)) {
    const { status, stream, text } = await answer(program, words);
    const bytes = Buffer.byteLength(text);
    let offset = offsets.get(text);
    if (offset === undefined) {
      offset = end;
      offsets.set(text, offset);
      end += bytes;
    }
    head.push(['line', status, stream, offset, bytes, ...words].join(' '));
  }
  return `${head.join('\n')}\n\n${[...offsets.keys()].join('')}`;
}

/** Environment names of the flags in front of the command: they are read, and may be wrong, before help is printed. */
function variables(program: Program): readonly string[] {
  const keys = Object.values(globalFlags(program)).flatMap((flag) => flag.env ?? []);
  return program.prefixes.flatMap((prefix) => keys.map((key) => `${prefix}_${key}`));
}

/**
 * Words that ask for help, also by other names of commands, and groups without a verb: those of the first level, since two
 * words may be anything, and the small program is not to look for all of them.
 */
export function* helpLines(program: Program): Generator<readonly string[]> {
  yield* [[], ['help'], ['--help'], ['-h']];
  for (const { node, path } of everyPath(program.commands)) {
    yield* [
      ['help', ...path],
      [...path, '--help'],
      [...path, '-h'],
    ];
    if (node.kind === 'group' && path.length === 1) yield path;
  }
}

function* everyPath(
  nodes: readonly Node[],
  before: readonly string[] = [],
): Generator<{ readonly node: Node; readonly path: readonly string[] }> {
  for (const node of nodes) {
    for (const name of [node.name, ...(node.aliases ?? [])]) {
      const path = [...before, name];
      yield { node, path };
      if (node.kind === 'group') yield* everyPath(node.commands, path);
    }
  }
}

interface Answer {
  readonly status: number;
  readonly stream: 'stdout' | 'stderr';
  readonly text: string;
}

async function answer(program: Program, words: readonly string[]): Promise<Answer> {
  const written = { stdout: '', stderr: '' };
  const status = await main(program, words, {
    get stdin(): never {
      throw new Error('Expected help, which reads nothing');
    },
    stdout: {
      write: (chunk) => {
        written.stdout += String(chunk);
        return true;
      },
      once: () => undefined,
    },
    stderr: { write: (text) => (written.stderr += text) },
    env: {},
    cwd: '/',
    signal: new AbortController().signal,
  });
  const { stdout, stderr } = written;
  if ((stdout === '') === (stderr === '')) {
    throw new Error(`Expected one text for ${[program.name, ...words].join(' ')}, got none or two`);
  }
  return stderr === ''
    ? { status, stream: 'stdout', text: stdout }
    : { status, stream: 'stderr', text: stderr };
}

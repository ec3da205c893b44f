import { type Script, scriptArguments, scriptCommand } from '#libs/deffile';
import type { RootTree } from '#libs/core';
import { describeResult, buildFailure } from './failure.js';
import { POST_LABELS } from './rootfs/labels.js';
import { POST_ENVIRONMENT } from './rootfs/metadata.js';
import type { BuildNetwork, ContainerRunner, RunBind, RunResult } from './runner.js';
import type { BuildLog } from './log.js';

const FILE = '.post.script';
/**
 * The first line of the script, where the definition has its header: the shell writes its trace with the line of the definition, so that a failure
 * names it (set here, since bash does not take `PS4` from the environment of root), and in order with what the commands print.
 */
const PRELUDE = "{ set +x; } 2>/dev/null; PS4='+ line ${LINENO}: '; exec 2>&1; set -x";
const TRACE_LINE = /\++ line (\d+): /g;
/** What a shell makes of a program that was killed. */
const KILLED = 137;
const NOT_FOUND = 127;
const NOT_EXECUTABLE = 126;

export interface PostRequest {
  readonly tree: RootTree;
  readonly script: Script;
  readonly runner: ContainerRunner;
  /** Host's resolv.conf and hosts, where the image has such files (definition contract §6 step 7). */
  readonly binds: readonly RunBind[];
  readonly network: BuildNetwork;
  readonly log: BuildLog;
  readonly signal: AbortSignal | undefined;
}

/**
 * The script text with every piece on the line that it has in the definition: blank lines stand for what is above and between. Messages
 * of the shell and `$LINENO` then agree with what the author sees.
 * @param first put on the first line, which is never the script's own
 */
export function alignedScript(script: Script, first: string): string {
  let text = first;
  let line = 1;
  for (const piece of script.pieces) {
    const missing = Math.max(0, piece.line - line);
    text += '\n'.repeat(missing) + piece.text;
    line += missing + piece.text.split('\n').length - 1;
  }
  return text;
}

/**
 * Runs `%post` inside the root (definition contract §6): clean environment, working directory `/`.
 * @throws DomainError that names the line and the exit status when the script fails
 */
export async function runPost(request: PostRequest): Promise<void> {
  const { tree, script, runner, log } = request;
  const command = scriptCommand('post', script, `/${FILE}`);
  if ((await tree.stat('bin/sh')) === undefined) {
    throw buildFailure('%post needs /bin/sh in the image, and there is none', {
      remedy:
        'Copy a static shell to /bin/sh with %files (busybox for example), or start from a base that has one.',
    });
  }
  // A shell of the author's choice may be anything, python too; and who turns the trace off wants none.
  const plain = !scriptArguments(script).some((argument) => argument === '-c' || argument === '+x');
  await tree.write(FILE, alignedScript(script, plain ? PRELUDE : ''), 0o755);
  const trace = new TraceReader();
  try {
    const result = await runner.run({
      name: '%post',
      root: tree.root,
      writable: true,
      command,
      environment: {
        PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
        HOME: '/root',
        SINGULARITY_ENVIRONMENT: `/${POST_ENVIRONMENT}`,
        SINGULARITY_LABELS: `/${POST_LABELS}`,
        APPTAINER_ENVIRONMENT: `/${POST_ENVIRONMENT}`,
        APPTAINER_LABELS: `/${POST_LABELS}`,
      },
      binds: request.binds,
      network: request.network,
      output: (chunk) => {
        trace.feed(chunk);
        log.output(chunk);
      },
      signal: request.signal,
    });
    request.signal?.throwIfAborted();
    if (result.status !== 0) {
      const place = trace.line === undefined ? '' : ` at line ${trace.line} of the definition`;
      throw buildFailure(`while running %post${place}: ${describeResult(result)}`, {
        remedy: remedyFor(result),
      });
    }
  } finally {
    await tree.remove(FILE);
  }
}

function remedyFor({ status, signal }: RunResult): string {
  if (status === KILLED || signal === 'SIGKILL')
    return 'It was killed, most often because the machine had no memory left.';
  if (status === NOT_FOUND)
    return 'A program was not found in the image: install it in %post, or choose a base that has it.';
  if (status === NOT_EXECUTABLE)
    return 'A file could not be run: is it a program of this architecture, with mode x?';
  return 'The lines above say why. A command that may fail can be followed by || true.';
}

/** Remembers the last line number that the shell's trace named. */
class TraceReader {
  line: number | undefined;
  #rest = '';

  feed(chunk: Uint8Array): void {
    const text = this.#rest + Buffer.from(chunk).toString('latin1');
    // The rest of the text may be cut in a trace line; one that was seen is seen again, and that changes nothing.
    this.#rest = text.slice(-200);
    // Anywhere in a line: what a command prints may end without one.
    for (const [, found] of text.matchAll(TRACE_LINE)) this.line = Number(found);
  }
}

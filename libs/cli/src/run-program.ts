import { getSystemErrorMessage } from 'node:util';
import type { Program } from './command.js';
import { Interrupted } from './failures.js';
import { main } from './main.js';
import { progressOn } from './progress.js';
import { promptsOn } from './prompts.js';

/** How long a command may clean up after a signal before the process ends anyway, in milliseconds. */
const GRACE = 10_000;

/** Exit status of a program whose reader went away: what a shell shows for SIGPIPE. */
const BROKEN_PIPE_STATUS = 141;

/** Exit status of a program whose output cannot be written, on a full disk for example. */
const WRITE_FAILURE_STATUS = 255;

/**
 * Runs a program as this process: words, streams and environment are the process's own, the process ends with the
 * command's status, or by the signal that interrupted it after the command has cleaned up.
 */
export async function runProgram(program: Program, argv = process.argv.slice(2)): Promise<void> {
  const streams = new ProcessStreams();
  const interrupts = listenForSignals();
  const status = await main(program, argv, {
    get stdin() {
      return streams.stdin;
    },
    get stdout() {
      return streams.stdout;
    },
    get stderr() {
      return streams.stderr;
    },
    env: process.env,
    cwd: process.cwd(),
    signal: interrupts.signal,
    pid: process.pid,
    progress: progressOn(() => streams.stderr),
    prompts: promptsOn(() => ({ input: streams.stdin, output: streams.stderr }), interrupts.signal),
    ...(process.getuid === undefined ? {} : { uid: process.getuid() }),
  });
  const reason: unknown = interrupts.signal.reason;
  interrupts.stop();
  // A shell and a scheduler must see that the process died of the signal, not that it chose a number.
  if (reason instanceof Interrupted) process.kill(process.pid, reason.signal);
  process.exitCode = status;
  streams.release();
}

/** The streams of the process, opened when they are used: a terminal costs milliseconds that most commands need not pay. */
class ProcessStreams {
  #stdin: typeof process.stdin | undefined;
  #stdout: typeof process.stdout | undefined;
  #stderr: typeof process.stderr | undefined;

  get stdin(): typeof process.stdin {
    return (this.#stdin ??= process.stdin);
  }

  get stdout(): typeof process.stdout {
    return (this.#stdout ??= endingWithItsReader(process.stdout, (text) => this.stderr.write(text)));
  }

  get stderr(): typeof process.stderr {
    return (this.#stderr ??= endingWithItsReader(process.stderr, () => undefined));
  }

  /** A terminal that was read from keeps the process alive otherwise. */
  release(): void {
    this.#stdin?.pause().unref?.();
  }
}

/**
 * Whoever reads may stop reading (`sing key list | head -1`): that is the end, not an error. A result that cannot be written
 * is one, and there is nothing left to do.
 */
function endingWithItsReader<S extends NodeJS.WriteStream>(stream: S, tell: (text: string) => unknown): S {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(BROKEN_PIPE_STATUS);
    const reason = error.errno === undefined ? error.message : getSystemErrorMessage(error.errno);
    tell(`FATAL:   Cannot write the output: ${reason}\n`);
    process.exit(WRITE_FAILURE_STATUS);
  });
  return stream;
}

function listenForSignals(): { signal: AbortSignal; stop: () => void } {
  const controller = new AbortController();
  const names = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  const handlers = names.map((name) => {
    const handler = () => {
      if (controller.signal.aborted) die(name);
      controller.abort(new Interrupted(name));
      setTimeout(() => die(name), GRACE).unref();
    };
    process.on(name, handler);
    return [name, handler] as const;
  });
  const stop = () => {
    for (const [name, handler] of handlers) process.off(name, handler);
  };
  const die = (name: (typeof names)[number]) => {
    stop();
    process.kill(process.pid, name);
  };
  return { signal: controller.signal, stop };
}

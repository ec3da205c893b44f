import { spawn, type ChildProcess, type StdioOptions } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { text as collect } from 'node:stream/consumers';
import { withHandles } from './handles.js';

export interface StartOptions {
  /** `ignore` (default): standard input is empty. A number: this descriptor. */
  readonly stdin?: 'ignore' | number;
  /**
   * How many processes there may be: those of this process's user and all of the container together, whatever ids they take. More cannot be forked. No limit of
   * this kind when absent; never more than this process itself may have.
   */
  readonly processes?: number;
}

/** Why a launch was not done, as the executor reports it. */
export interface LaunchFault {
  /** Index of the step in the plan; null when it was none of them. */
  readonly step: number | null;
  /** Kind of the step, or what else was being done. */
  readonly kind: string;
  readonly path: string;
  /** Symbolic errno; null when a check said no. */
  readonly error: string | null;
  readonly message: string;
}

/** How one command of a sequence ended: one of `status` and `signal` (its number) is set. */
export interface CommandEnding {
  readonly index: number;
  readonly name: string;
  readonly status: number | null;
  readonly signal: number | null;
}

/** How a launch ended. One of `status` and `signal` is set. */
export interface Ending {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  /** True when `kill` was called before it had ended. */
  readonly killed: boolean;
  /** Null when the payload (the first command) was started. */
  readonly fault: LaunchFault | null;
  /** For a sequence: the commands that were started, in order. */
  readonly commands: readonly CommandEnding[];
}

export interface StartedContainer {
  /** Of the process that waits for the container. */
  readonly pid: number;
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** Settles when the container has ended and its output was taken. Rejects when the program could not be started. */
  readonly ended: Promise<Ending>;
  /** Kills everything of the container. `ended` settles when nothing of it is left. */
  kill(): void;
  /** Sends one signal to the payload (forwarded). */
  signal(name: NodeJS.Signals): void;
}

/** Descriptors of the child: plan, reports, lifeline, then the plan's handles. */
const FIRST_HANDLE = 6;

interface Report {
  readonly event: 'fault' | 'command';
}

/** The reports of the executor, one JSON object a line; a line that was cut off by its end is none. */
function parseReports(lines: string): Pick<Ending, 'fault' | 'commands'> {
  let fault: LaunchFault | null = null;
  const commands: CommandEnding[] = [];
  for (const line of lines.split('\n').slice(0, -1)) {
    const report = JSON.parse(line) as Report;
    if (report.event === 'fault') fault = report as Report & LaunchFault;
    if (report.event === 'command') commands.push(report as Report & CommandEnding);
  }
  return { fault, commands };
}

const pipeOf = (child: ChildProcess, index: number): Readable & Writable => {
  const pipe = child.stdio[index];
  if (pipe === null || pipe === undefined)
    throw new Error(`Expected a pipe on descriptor ${index} of the container`);
  return pipe as Readable & Writable;
};

/**
 * The command below a limit of processes. The kernel takes the limit that holds where a user namespace is made for the whole namespace, so it has to be there
 * before; Node cannot set it. Shells disagree on the letter.
 */
function limited(
  command: readonly [string, ...string[]],
  processes: number | undefined,
): readonly [string, ...string[]] {
  if (processes === undefined) return command;
  const limit = Math.floor(processes);
  const script = `ulimit -u ${limit} 2>/dev/null || ulimit -p ${limit} 2>/dev/null; exec "$0" "$@"`;
  return ['/bin/sh', '-c', script, ...command];
}

/**
 * Starts a plan with the program at `program`. The child leads a session of its own, so that what a terminal sends to this process does not
 * reach it, and gets no environment: everything is in the plan.
 */
export function startProgram(program: string, plan: object, options: StartOptions): StartedContainer {
  const { text, handles } = withHandles(plan, (_handle, index) => FIRST_HANDLE + index);
  const stdio: StdioOptions = [options.stdin ?? 'ignore', 'pipe', 'pipe', 'pipe', 'pipe', 'pipe', ...handles];
  const [file, ...words] = limited([program, '--execute-plan', '3', '4', '5'], options.processes);
  const child = spawn(file, words, { stdio, env: {}, detached: true });
  const planPipe = pipeOf(child, 3);
  const lifeline = pipeOf(child, 5);
  let killed = false;
  let over = false;
  // A program that refuses the plan before it has read all of it: the reason comes by the report.
  planPipe.on('error', () => undefined);
  lifeline.on('error', () => undefined);
  planPipe.end(text);
  const reports = collect(pipeOf(child, 4));
  const closed = new Promise<Pick<Ending, 'status' | 'signal'>>((settle, fail) => {
    child.once('error', fail);
    child.once('close', (status, signal) => settle({ status, signal }));
    child.once('exit', () => {
      over = true;
      lifeline.destroy();
    });
  });
  const ended = closed.then(async (ending) => ({ ...ending, killed, ...parseReports(await reports) }));
  return {
    pid: child.pid ?? -1,
    stdout: pipeOf(child, 1),
    stderr: pipeOf(child, 2),
    ended,
    kill() {
      if (over) return;
      killed = true;
      // With a PID namespace the waiting process kills it and ends when it is empty; without one the payload is the child itself.
      lifeline.destroy();
      if (!hasPidNamespace(plan)) child.kill('SIGKILL');
    },
    signal(name) {
      child.kill(name);
    },
  };
}

function hasPidNamespace(plan: object): boolean {
  return (
    'namespaces' in plan &&
    typeof plan.namespaces === 'object' &&
    plan.namespaces !== null &&
    'pid' in plan.namespaces &&
    plan.namespaces.pid !== null
  );
}

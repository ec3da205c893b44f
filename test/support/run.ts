import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';

export interface RunOptions {
  readonly cwd: string;
  /** The whole environment of the program. */
  readonly env: Readonly<Record<string, string>>;
  readonly input?: string;
  /** Who runs it; whoever runs the tests when absent. */
  readonly id?: number | undefined;
}

/** How a program ended, and what it said. */
export interface Ended {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A program that runs. */
export interface Running {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  /** Resolves when what it has printed so far, on both outputs, contains the text; rejects when it ends before. */
  says(text: string): Promise<void>;
}

/** Starts a program in a process group of its own, so that a test can send what a terminal sends: a signal to all of it. */
export function start(command: string, words: readonly string[], options: RunOptions): Running {
  const { cwd, env, input, id } = options;
  const child = spawn(command, words, {
    cwd,
    env,
    detached: true,
    ...(id === undefined ? {} : { uid: id, gid: id }),
  });
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  child.stdin.on('error', () => undefined);
  child.stdin.end(input ?? '');
  const kill = (): void => void child.kill('SIGKILL');
  process.once('exit', kill);
  const ended = (async (): Promise<Ended> => {
    const [status, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
    process.off('exit', kill);
    return { status, signal, stdout, stderr };
  })();
  // Whoever waits for it hears of it.
  ended.catch(() => undefined);
  const says = async (text: string): Promise<void> => {
    const over = ended.then((how) => {
      throw new Error(`Expected ${command} to say ${text}, got ${JSON.stringify(how)}`);
    });
    over.catch(() => undefined);
    while (!stdout.includes(text) && !stderr.includes(text)) {
      await Promise.race([once(child.stdout, 'data'), once(child.stderr, 'data'), over]);
    }
  };
  return { child, ended, says };
}

/** Runs a program to its end. */
export function run(command: string, words: readonly string[], options: RunOptions): Promise<Ended> {
  return start(command, words, options).ended;
}

/** Runs a program that must succeed. @throws Error with everything it said when it does not */
export async function ok(command: string, words: readonly string[], options: RunOptions): Promise<Ended> {
  const how = await run(command, words, options);
  if (how.status === 0) return how;
  throw new Error(
    `${command} ${words.join(' ')} ended with ${how.signal ?? `status ${how.status}`}\n${how.stdout}\n${how.stderr}`,
  );
}

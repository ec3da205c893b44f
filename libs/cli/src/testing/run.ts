import { PassThrough, Readable } from 'node:stream';
import type { Program } from '../command.js';
import { main, type MainOptions } from '../main.js';
import { promptsOn } from '../prompts.js';

export interface RunOptions {
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
  /** What is piped in; it also answers questions, as for a process. */
  readonly stdin?: string;
  readonly signal?: AbortSignal;
  readonly prompts?: MainOptions['prompts'];
  /** Standard output is a terminal. */
  readonly terminal?: boolean;
}

export interface RunResult {
  readonly status: number;
  readonly stdout: string;
  readonly stdoutBytes: Buffer;
  readonly stderr: string;
}

/** Calls a program in this process and collects what it writes. For tests of commands. */
export async function run(
  program: Program,
  argv: readonly string[],
  options: RunOptions = {},
): Promise<RunResult> {
  const stdout: Buffer[] = [];
  const sink = new PassThrough();
  sink.on('data', (chunk: Buffer) => stdout.push(chunk));
  let stderr = '';
  const stdin = Readable.from(options.stdin === undefined ? [] : [options.stdin]);
  const signal = options.signal ?? new AbortController().signal;
  const written = { write: (text: string) => (stderr += text) };
  const status = await main(program, argv, {
    stdin,
    stdout: Object.assign(sink, { isTTY: options.terminal === true }),
    stderr: written,
    env: options.env ?? {},
    cwd: options.cwd ?? '/',
    signal,
    prompts: options.prompts ?? promptsOn(() => ({ input: stdin, output: written }), signal),
  });
  const ended = new Promise((resolve) => sink.once('end', resolve));
  sink.end();
  await ended;
  const stdoutBytes = Buffer.concat(stdout);
  return { status, stdout: stdoutBytes.toString(), stdoutBytes, stderr };
}

import { PassThrough, Readable } from 'node:stream';
import type { Program } from '../command.js';
import { main, type MainOptions } from '../main.js';

export interface RunOptions {
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
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
  const status = await main(program, argv, {
    stdin: Readable.from(options.stdin === undefined ? [] : [options.stdin]),
    stdout: Object.assign(sink, { isTTY: options.terminal === true }),
    stderr: { write: (text) => (stderr += text) },
    env: options.env ?? {},
    cwd: options.cwd ?? '/',
    signal: options.signal ?? new AbortController().signal,
    ...(options.prompts === undefined ? {} : { prompts: options.prompts }),
  });
  const ended = new Promise((resolve) => sink.once('end', resolve));
  sink.end();
  await ended;
  const stdoutBytes = Buffer.concat(stdout);
  return { status, stdout: stdoutBytes.toString(), stdoutBytes, stderr };
}

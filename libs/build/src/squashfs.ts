import { availableParallelism } from 'node:os';
import { execa } from 'execa';
import { systemCode } from '#libs/core';
import { buildFailure, outOfSpace } from './failure.js';
import type { BuildLog } from './log.js';

const TOOLS = 'Install the package squashfs-tools.';
/** Last lines of a tool that are kept for a message. */
const LAST_LINES = 3;
/** `unsquashfs`: everything that could be unpacked was, but some of it is not as it should be. */
const NOT_ALL = 2;

/**
 * Packs a directory into a squashfs file (SIF contract §4.4): gzip, so that every runtime reads it; ids as they are in this user namespace.
 * @throws DomainError with the tool's last words
 */
export async function packSquashfs(
  directory: string,
  output: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  const processors = String(availableParallelism());
  const ended = await run(
    'mksquashfs',
    [directory, output, '-noappend', '-no-progress', '-quiet', '-comp', 'gzip', '-processors', processors],
    signal,
  );
  if (ended.status !== 0) throw failed('mksquashfs', ended);
}

/**
 * Unpacks the squashfs that begins at `offset` of a file into an empty directory. What this user namespace cannot have (owners that are not mapped,
 * device files) is left out with one warning.
 * @throws DomainError with the tool's last words
 */
export async function unpackSquashfs(
  file: string,
  offset: number,
  directory: string,
  { log, signal }: { readonly log: BuildLog; readonly signal: AbortSignal | undefined },
): Promise<void> {
  const ended = await run(
    'unsquashfs',
    ['-no-progress', '-quiet', '-force', '-offset', String(offset), '-dest', directory, file],
    signal,
  );
  if (ended.status === NOT_ALL)
    log.warning(
      `${ended.lines} owners, devices or attributes of the base do not exist here and were left out, the first: ${ended.first.replaceAll(directory, '')}`,
    );
  else if (ended.status !== 0) throw failed('unsquashfs', ended);
}

interface Ended {
  readonly status: number | undefined;
  /** What became of it, in the words of whoever started it. */
  readonly how: string;
  readonly lines: number;
  readonly first: string;
  readonly last: readonly string[];
  readonly cause: unknown;
}

/** Runs a tool. However much it says (a line for each file that it cannot own), it is heard out and a little is kept. */
async function run(tool: string, args: readonly string[], signal: AbortSignal | undefined): Promise<Ended> {
  const running = execa(tool, args, {
    stdin: 'ignore',
    all: true,
    buffer: false,
    reject: false,
    ...(signal === undefined ? {} : { cancelSignal: signal, forceKillAfterDelay: 1000 }),
  });
  let lines = 0;
  let first = '';
  let last: string[] = [];
  for await (const line of running.iterable({ from: 'all' })) {
    if (line.trim() === '') continue;
    lines += 1;
    if (lines === 1) first = line;
    last = [...last.slice(1 - LAST_LINES), line];
  }
  const result = await running;
  signal?.throwIfAborted();
  if (systemCode(result.cause) === 'ENOENT')
    throw buildFailure(`${tool} is not installed`, { remedy: TOOLS });
  return {
    status: result.exitCode,
    how: result.shortMessage ?? '',
    lines,
    first,
    last,
    cause: result.cause,
  };
}

function failed(tool: string, { how, last, cause }: Ended): Error {
  const words = last.join('; ');
  if (/No space left on device/.test(words)) return outOfSpace(cause);
  return buildFailure(`${tool} failed: ${words === '' ? how : words}`, { cause });
}

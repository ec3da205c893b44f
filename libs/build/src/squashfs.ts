import { availableParallelism } from 'node:os';
import { execa } from 'execa';
import { systemCode } from '#libs/core';
import { buildFailure } from './failure.js';

const TOOLS = 'Install the package squashfs-tools.';

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
  await run(
    'mksquashfs',
    [directory, output, '-noappend', '-no-progress', '-quiet', '-comp', 'gzip', '-processors', processors],
    signal,
  );
}

/**
 * Unpacks the squashfs that begins at `offset` of a file into an empty directory. What this user namespace cannot have (owners that are not mapped,
 * device files) is left out without failing.
 * @throws DomainError with the tool's last words
 */
export async function unpackSquashfs(
  file: string,
  offset: number,
  directory: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  await run(
    'unsquashfs',
    [
      '-no-progress',
      '-quiet',
      '-no-exit-code',
      '-force',
      '-offset',
      String(offset),
      '-dest',
      directory,
      file,
    ],
    signal,
  );
}

async function run(tool: string, args: readonly string[], signal: AbortSignal | undefined): Promise<void> {
  const result = await execa(tool, args, {
    stdin: 'ignore',
    all: true,
    reject: false,
    maxBuffer: 64 * 1024,
    ...(signal === undefined ? {} : { cancelSignal: signal, forceKillAfterDelay: 1000 }),
  });
  signal?.throwIfAborted();
  if (!result.failed) return;
  if (systemCode(result.cause) === 'ENOENT')
    throw buildFailure(`${tool} is not installed`, { remedy: TOOLS });
  const words = (result.all ?? '').trim().split('\n').slice(-3).join('; ');
  throw buildFailure(`${tool} failed: ${words === '' ? result.shortMessage : words}`, {
    cause: result.cause,
  });
}

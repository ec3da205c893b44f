import { lstat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import type { Surroundings } from '#libs/cli';
import { DomainError, systemCode } from '#libs/core';
import { requireFolder } from '../folders.js';

/**
 * The absolute path of an image that will be made, after asking whether it may replace what is there: "existing OUT asks
 * unless -F" (runtime contract §1.6).
 */
export async function localDestination(
  { cwd, prompts }: Pick<Surroundings, 'cwd' | 'prompts'>,
  output: string,
  force: boolean,
): Promise<string> {
  if (output.startsWith('library://'))
    throw new DomainError('bad_request', 'A build on this machine makes a file, not an image of a library', {
      reason: 'invalid_destination',
      remedy: `Build a file and push it: sing push FILE ${output}; or build at the remote with --remote`,
    });
  const path = resolve(cwd, output);
  await requireFolder(dirname(path));
  const there = await lstat(path).catch((error: unknown) => {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  });
  if (there === undefined || (force && !there.isDirectory())) return path;
  if (there.isDirectory())
    throw new DomainError('conflict', `${path} is a folder`, {
      reason: 'is_a_folder',
      remedy: `Name the image in it: ${join(output, 'hello.sif')}`,
    });
  return replacing(path, prompts);
}

/**
 * As {@link localDestination} for a folder: what may be replaced is a container's folder, an empty one or a file, never any other.
 */
export async function sandboxDestination(
  { cwd, prompts }: Pick<Surroundings, 'cwd' | 'prompts'>,
  output: string,
  force: boolean,
): Promise<string> {
  const path = resolve(cwd, output);
  await requireFolder(dirname(path));
  const { mayReplace } = await import('#libs/build');
  if (!(await mayReplace(path)) || force) return path;
  return replacing(path, prompts);
}

/** @throws DomainError `conflict` when it is not to be replaced, and when nobody says so */
async function replacing(path: string, prompts: Surroundings['prompts']): Promise<string> {
  if (await prompts.confirm({ message: `Replace ${path}?`, flag: '--force', fromPipe: true })) return path;
  throw new DomainError('conflict', `${path} stays as it is`, { reason: 'exists' });
}

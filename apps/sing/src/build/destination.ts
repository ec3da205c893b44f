import { lstat } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Surroundings } from '#libs/cli';
import { DomainError, refuseExisting, systemCode } from '#libs/core';

/**
 * The absolute path of an image that will be made, after asking whether it may replace what is there: "existing OUT asks
 * unless -F" (runtime contract §1.6).
 */
export async function localDestination(
  { cwd, prompts }: Pick<Surroundings, 'cwd' | 'prompts'>,
  output: string,
  force: boolean,
): Promise<string> {
  const path = resolve(cwd, output);
  const there = await lstat(path).catch((error: unknown) => {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  });
  if (there === undefined || force) {
    await refuseExisting(path, { overwrite: force });
    return path;
  }
  await refuseExisting(path, { overwrite: true });
  if (await prompts.confirm({ message: `Replace ${path}?`, flag: '--force' })) return path;
  throw new DomainError('conflict', `${path} stays as it is`, { reason: 'exists' });
}

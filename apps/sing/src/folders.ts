import { constants } from 'node:fs';
import { access, chmod, mkdir, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Surroundings } from '#libs/cli';
import { DomainError } from '#libs/core';

type Place = Pick<Surroundings, 'env' | 'cwd' | 'log'>;

/** The person's own folder, shared with the stock program: `~/.singularity` (runtime contract §1.8). */
export function configFolder({ env, cwd }: Place): string {
  const setting = env.setting('CONFIGDIR')?.value;
  return setting === undefined ? join(env.get('HOME') ?? homedir(), '.singularity') : resolve(cwd, setting);
}

/** Key rings: `~/.singularity/sypgp` unless `SINGULARITY_SYPGPDIR` says otherwise (runtime contract §1.3). */
export function keysFolder(place: Place): string {
  const setting = place.env.setting('SYPGPDIR', 'KEYSDIR')?.value;
  return setting === undefined ? join(configFolder(place), 'sypgp') : resolve(place.cwd, setting);
}

/** Images that were pulled: `<CACHEDIR>/cache` (runtime contract §1.7). */
export function cacheFolder(place: Place): string {
  const setting = place.env.setting('CACHEDIR')?.value;
  const parent = setting === undefined ? configFolder(place) : resolve(place.cwd, setting);
  return join(parent, 'cache');
}

/** Where temporary files of builds go. */
function temporaryFolder({ env, cwd }: Place): string {
  const setting = env.setting('TMPDIR')?.value ?? env.get('TMPDIR');
  return setting === undefined ? '/tmp' : resolve(cwd, setting);
}

/** The same, after a look whether it can be used. @throws DomainError when it is not there or may not be written */
export async function usableTemporaryFolder(place: Place): Promise<string> {
  const folder = temporaryFolder(place);
  await access(folder, constants.W_OK | constants.X_OK).catch((cause: unknown) => {
    throw new DomainError('not_found', `The folder for temporary files cannot be used: ${folder}`, {
      reason: 'no_temporary_folder',
      remedy: 'Make it, or name another one that you may write to in TMPDIR.',
      cause,
    });
  });
  return folder;
}

/**
 * Stops unless there is a folder that a file can be made in: told before anything is built or fetched, not after.
 * @throws DomainError `not_found`, `forbidden`
 */
export async function requireFolder(folder: string): Promise<void> {
  const stats = await stat(folder).catch(() => undefined);
  if (stats?.isDirectory() !== true)
    throw new DomainError('not_found', `There is no folder ${folder}`, {
      reason: 'no_such_folder',
      remedy: `Make it first: mkdir -p ${folder}`,
    });
  await access(folder, constants.W_OK | constants.X_OK).catch((cause: unknown) => {
    throw new DomainError('forbidden', `You may not make a file in ${folder}`, {
      reason: 'no_permission',
      remedy: 'Name a place for the image that you may write to',
      cause,
    });
  });
}

/**
 * Makes a folder for this person's eyes only: "`~/.singularity` 0700 forced on use" (runtime contract §1.8).
 * @throws DomainError when it belongs to somebody else
 */
export async function makePrivate(folder: string, { log }: Pick<Surroundings, 'log'>): Promise<string> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const { uid, mode } = await stat(folder);
  const self = process.geteuid?.() ?? uid;
  if (uid !== self && self !== 0) {
    throw new DomainError('forbidden', `${folder} belongs to somebody else`, {
      reason: 'not_owner',
      remedy: 'Choose another folder with SING_CONFIGDIR',
    });
  }
  if ((mode & 0o077) !== 0) {
    log.verbose(`Taking away the rights of others on ${folder}`);
    await chmod(folder, 0o700);
  }
  return folder;
}

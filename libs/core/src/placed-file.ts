import { randomBytes } from 'node:crypto';
import { link, lstat, open, rename, unlink, type FileHandle } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { DomainError, systemCode } from './errors.js';

export interface PlaceOptions {
  /** Replace what is there; otherwise an existing file is refused and stays as it is. */
  readonly overwrite: boolean;
  /** Mode before the umask; 0o666 when absent. */
  readonly mode?: number;
}

/**
 * Writes a file that appears under its name whole or not at all: a hidden file beside it is written, synced and then
 * moved into place. When `write` fails or is aborted nothing stays.
 * @param write gets the open temporary file and its path
 * @throws DomainError `conflict` with reason `exists` when there is something and it may not be replaced
 */
export async function placeFile<T>(
  path: string,
  options: PlaceOptions,
  write: (file: FileHandle, temporaryPath: string) => Promise<T>,
): Promise<T> {
  await refuseExisting(path, options);
  const temporary = join(
    dirname(path),
    `.${basename(path).slice(0, 200)}.${randomBytes(6).toString('hex')}.part`,
  );
  const file = await open(temporary, 'wx+', options.mode ?? 0o666);
  try {
    let result: T;
    try {
      result = await write(file, temporary);
      await file.sync();
    } finally {
      await file.close();
    }
    // After a link the temporary name is a second one of the same file; after a rename it is gone.
    if (options.overwrite) await rename(temporary, path);
    else await moveUnlessThere(temporary, path);
    await syncFolder(dirname(path));
    return result;
  } finally {
    await unlink(temporary).catch(() => undefined);
  }
}

/**
 * Refuses early, before a long download, what {@link placeFile} would refuse in the end.
 * @throws DomainError `conflict` with reason `exists`, or `is_a_folder`
 */
export async function refuseExisting(path: string, options: Pick<PlaceOptions, 'overwrite'>): Promise<void> {
  const there = await lstat(path).catch((error: unknown) => {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  });
  if (there === undefined) return;
  if (there.isDirectory()) {
    throw new DomainError('conflict', `${path} is a folder`, { reason: 'is_a_folder' });
  }
  if (!options.overwrite) throw alreadyThere(path);
}

async function moveUnlessThere(temporary: string, path: string): Promise<void> {
  try {
    // Unlike rename, link never replaces: two programs at once cannot overwrite each other.
    await link(temporary, path);
  } catch (error) {
    const code = systemCode(error);
    if (code === 'EEXIST') throw alreadyThere(path);
    // File systems without hard links.
    if (code !== 'EPERM' && code !== 'ENOTSUP' && code !== 'ENOSYS' && code !== 'EMLINK') throw error;
    await refuseExisting(path, { overwrite: false });
    await rename(temporary, path);
  }
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } catch (error) {
    // Some network file systems cannot sync a folder; the file itself is safe.
    if (systemCode(error) !== 'EINVAL') throw error;
  } finally {
    await folder.close();
  }
}

function alreadyThere(path: string): DomainError {
  return new DomainError('conflict', `${path} already exists`, {
    reason: 'exists',
    remedy: 'Use --force to replace it, or another name',
  });
}

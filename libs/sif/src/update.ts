import { realpath } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { systemCode, withFileLock } from '#libs/core';
import { FileAccess, type FileMode } from './access/file.js';

/**
 * Runs a change on an image file while no other program of ours changes it: two at once would write their objects to the
 * same place. The lock lies beside the image; in a folder where nothing can be made the change runs without one.
 * @throws what opening, locking or `work` throws
 */
export async function updateSifFile<T>(path: string, work: (access: FileAccess) => Promise<T>): Promise<T> {
  const real = await realpath(path).catch(() => path);
  let locked = false;
  // Opened under the lock: size and file are those that the last holder left.
  const change = () => {
    locked = true;
    return using(real, 'update', work);
  };
  try {
    return await withFileLock(join(dirname(real), `.${basename(real)}.lock`), change);
  } catch (error) {
    if (locked || !NO_LOCK_POSSIBLE.includes(systemCode(error) ?? '')) throw error;
    return change();
  }
}

/** No permission, read-only file system, no links there, no such folder: opening the image says what is wrong, if anything. */
const NO_LOCK_POSSIBLE = ['EACCES', 'EROFS', 'EPERM', 'ENOENT', 'ENOTDIR'];

/** Runs `work` on an image file that is only read. @throws what opening or `work` throws */
export function withSifFile<T>(path: string, work: (access: FileAccess) => Promise<T>): Promise<T> {
  return using(path, 'read', work);
}

async function using<T>(path: string, mode: FileMode, work: (access: FileAccess) => Promise<T>): Promise<T> {
  const access = await FileAccess.open(path, mode);
  try {
    return await work(access);
  } finally {
    await access.close();
  }
}

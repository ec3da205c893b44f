import { lstat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { DomainError, systemCode } from '#libs/core';

/**
 * Whether a configuration file of the installation is there and can be believed: a regular file of root or of whoever owns the
 * installation, that nobody else may write to (runtime contract §0.2).
 * @returns false when there is none
 * @throws DomainError when others could have written it
 */
export async function isTrustedFile(path: string): Promise<boolean> {
  try {
    const [file, { uid: owner }] = await Promise.all([lstat(path), lstat(dirname(path))]);
    if (!file.isFile()) throw untrusted(path, 'be a regular file');
    if (file.uid !== 0 && file.uid !== owner)
      throw untrusted(path, 'belong to root or to the owner of the installation');
    if ((file.mode & 0o022) !== 0) throw untrusted(path, 'not be writable by group or others');
    return true;
  } catch (error) {
    const code = systemCode(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') return false;
    throw error;
  }
}

const untrusted = (path: string, rule: string) =>
  new DomainError('forbidden', `The file ${path} must ${rule}`, {
    reason: 'untrusted_file',
    remedy: 'It counts for everybody here: ask who administers this machine.',
  });

import type { FileStatus, Host, HostFile } from '../host.js';
import type { AbsolutePath } from '../plan.js';
import { refusal } from '../refusal.js';

/** No configuration file is near this size. */
export const LARGEST_FILE = 1024 * 1024;

/** Where the configuration files of the installation lie. */
export function configurationFolder(host: Host): AbsolutePath {
  const { root } = host.installation();
  return `${root === '/' ? '' : root}/etc/singularity`;
}

/**
 * Reads a file of the site's rules; null when there is none. It has to be a regular file of root or of the owner of the installation that nobody else may
 * write (interfaces: a file that others could have written is refused, never skipped).
 * @throws DomainError (status 255) with its path
 */
export function readTrusted(host: Host, path: AbsolutePath): HostFile | null {
  const file = host.readFile(path, LARGEST_FILE, 'refuse');
  if ('error' in file) {
    if (file.error === 'ENOENT' || file.error === 'ENOTDIR') return null;
    if (file.error === 'ELOOP') throw refusal(`${path} must be a regular file, not a link`);
    if (file.error === 'EINVAL') throw refusal(`${path} must be a regular file`);
    throw refusal(`could not read ${path}: ${file.message}`);
  }
  refuseUntrusted(path, file.status, host.installation().owner);
  return file;
}

function refuseUntrusted(path: AbsolutePath, status: FileStatus, owner: number): void {
  if (status.uid !== 0 && status.uid !== owner)
    throw refusal(`${path} must be owned by root or by the owner of the installation`);
  if ((status.mode & 0o022) !== 0) throw refusal(`${path} must not be writable by group or others`);
}

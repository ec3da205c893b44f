import type { FileStatus, Host, HostFailure, HostFile } from '../host.js';
import { trimBytes } from '../bytes.js';
import { absolutePath } from '../paths.js';
import type { AbsolutePath, Bytes } from '../plan.js';
import { notOffered, refusal } from '../refusal.js';
import { builtInConfiguration, readConfiguration } from './configuration.js';
import type { Configuration } from './configuration.js';

/** No configuration file is near this size. */
const LARGEST_FILE = 1024 * 1024;

/** Where the configuration files of an installation lie, below its root. */
const CONFIGURATION_FOLDER = 'etc/singularity';

/**
 * The site's rules: built in without a file; a file that others could have written is refused with its path, never skipped. `given` is another
 * singularity.conf named by the caller. An active execution control list, which this version cannot enforce, is refused.
 * @throws DomainError (status 255)
 */
export function loadConfiguration(
  host: Host,
  given: Bytes | null,
  workingDirectory: AbsolutePath | null,
): Configuration {
  const { root, owner } = host.installation();
  const folder = `${root === '/' ? '' : root}/${CONFIGURATION_FOLDER}`;
  refuseActiveControlList(host, `${folder}/ecl.toml`, owner);
  if (given !== null) {
    const path = absolutePath(workingDirectory, given);
    const file = host.readFile(path, LARGEST_FILE, 'follow');
    if ('error' in file) throw refusal(`could not read the configuration file ${path}: ${file.message}`);
    return readConfiguration(file.content, path);
  }
  const path = `${folder}/singularity.conf`;
  const file = readTrusted(host, path, owner);
  return file === null ? builtInConfiguration() : readConfiguration(file.content, path);
}

/** Null: there is no such file. */
function readTrusted(host: Host, path: AbsolutePath, owner: number): HostFile | null {
  const file = host.readFile(path, LARGEST_FILE, 'refuse');
  if (isFailure(file)) {
    if (file.error === 'ENOENT' || file.error === 'ENOTDIR') return null;
    if (file.error === 'ELOOP') throw refusal(`${path} must be a regular file, not a link`);
    if (file.error === 'EINVAL') throw refusal(`${path} must be a regular file`);
    throw refusal(`could not read ${path}: ${file.message}`);
  }
  refuseUntrusted(path, file.status, owner);
  return file;
}

function refuseUntrusted(path: AbsolutePath, status: FileStatus, owner: number): void {
  if (status.uid !== 0 && status.uid !== owner)
    throw refusal(`${path} must be owned by root or by the owner of the installation`);
  if ((status.mode & 0o022) !== 0) throw refusal(`${path} must not be writable by group or others`);
}

function refuseActiveControlList(host: Host, path: AbsolutePath, owner: number): void {
  const file = readTrusted(host, path, owner);
  if (file !== null && isActive(file.content))
    throw notOffered(`the execution control list that is active in ${path}`);
}

/** Whether an ecl.toml says anything about `activated` but `false`: what is not understood counts as active. */
function isActive(content: Bytes): boolean {
  for (const line of content.split('\n')) {
    const text = trimBytes(line.split('#')[0] ?? '');
    const equals = text.indexOf('=');
    if (!text.includes('activated')) continue;
    if (equals < 0 || trimBytes(text.slice(equals + 1)) !== 'false') return true;
  }
  return false;
}

function isFailure(value: HostFile | HostFailure): value is HostFailure {
  return 'error' in value;
}

import type { Host } from '../host.js';
import { trimBytes } from '../bytes.js';
import { absolutePath } from '../paths.js';
import type { AbsolutePath, Bytes } from '../plan.js';
import { notOffered, refusal } from '../refusal.js';
import { builtInConfiguration, readConfiguration } from './configuration.js';
import type { Configuration } from './configuration.js';
import { configurationFolder, LARGEST_FILE, readTrusted } from './trustedFile.js';

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
  const folder = configurationFolder(host);
  refuseActiveControlList(host, `${folder}/ecl.toml`);
  if (given !== null) {
    const path = absolutePath(workingDirectory, given);
    const file = host.readFile(path, LARGEST_FILE, 'follow');
    if ('error' in file) throw refusal(`could not read the configuration file ${path}: ${file.message}`);
    return readConfiguration(file.content, path);
  }
  const path = `${folder}/singularity.conf`;
  const file = readTrusted(host, path);
  return file === null ? builtInConfiguration() : readConfiguration(file.content, path);
}

function refuseActiveControlList(host: Host, path: AbsolutePath): void {
  const file = readTrusted(host, path);
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

import type { Bytes } from '../plan.js';
import { refusal } from '../refusal.js';

/** Transports that are fetched by Node before the launch (runtime contract §1.7). */
const FETCHED: readonly string[] = [
  'library',
  'docker',
  'docker-daemon',
  'docker-archive',
  'oci',
  'oci-archive',
  'oras',
  'shub',
  'http',
  'https',
];

/**
 * What the image word of a command line names: a path, or something that must be fetched first.
 * @throws DomainError (status 255) for a transport that nobody knows
 */
export function imageKind(image: Bytes): 'path' | 'fetched' | 'instance' {
  const colon = image.indexOf(':');
  if (colon < 1) return 'path';
  const scheme = image.slice(0, colon);
  const slashes = image.startsWith('//', colon + 1);
  if (scheme === 'instance' && slashes) return 'instance';
  if (FETCHED.includes(scheme)) {
    // These two forms are written without slashes as well; every other needs them, so that a file may be called `http:x`.
    if (slashes || ['docker-daemon', 'docker-archive', 'oci', 'oci-archive'].includes(scheme))
      return 'fetched';
    return 'path';
  }
  if (slashes) throw refusal(`unsupported transport type: ${scheme}`);
  return 'path';
}

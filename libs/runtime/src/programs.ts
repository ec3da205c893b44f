import type { Host } from './host.js';
import type { AbsolutePath, Bytes } from './plan.js';

/** Where programs of the system may lie that a launch calls: a fixed list, so that nobody's PATH chooses one. */
const PROGRAM_FOLDERS = ['/bin', '/sbin', '/usr/bin', '/usr/sbin', '/usr/local/bin', '/usr/local/sbin'];

/** The first program of that name that belongs to root, or null. */
export function findProgram(host: Host, name: Bytes): AbsolutePath | null {
  for (const folder of PROGRAM_FOLDERS) {
    const status = host.status(`${folder}/${name}`);
    if (!('error' in status) && status.type === 'file' && status.uid === 0) return `${folder}/${name}`;
  }
  return null;
}

import type { Host } from './host.js';
import type { AbsolutePath, Bytes } from './plan.js';

/** Where programs of the system may lie that a launch calls: a fixed list, so that nobody's PATH chooses one. */
export const PROGRAM_FOLDERS: readonly AbsolutePath[] = [
  '/bin',
  '/sbin',
  '/usr/bin',
  '/usr/sbin',
  '/usr/local/bin',
  '/usr/local/sbin',
];

/** The first program of that name in these folders that belongs to root and that nobody else can write, or null. */
export function findProgram(
  host: Host,
  name: Bytes,
  folders: readonly AbsolutePath[] = PROGRAM_FOLDERS,
): AbsolutePath | null {
  for (const folder of folders) {
    const status = host.status(`${folder}/${name}`);
    if ('error' in status || status.type !== 'file' || status.uid !== 0) continue;
    if ((status.mode & 0o022) === 0) return `${folder}/${name}`;
  }
  return null;
}

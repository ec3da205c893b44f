import type { Facts } from '../facts.js';
import type { LaunchOptions } from '../options/launchOptions.js';
import { isWithin } from '../paths.js';
import type { AbsolutePath, Bytes } from '../plan.js';
import type { MountList } from './mountList.js';

/** What of the host is never shown by `mount hostfs` (runtime contract §2.4 step 7). */
const NEVER: readonly AbsolutePath[] = ['/proc', '/sys', '/dev', '/run', '/boot', '/var'];

/**
 * The mount points of the host that `mount hostfs = yes` shows, uppermost first, without those that lie below another: these come with it.
 * @param mountInfo content of /proc/self/mountinfo
 */
export function hostFileSystems(mountInfo: Bytes): readonly AbsolutePath[] {
  const points: AbsolutePath[] = [];
  for (const line of mountInfo.split('\n')) {
    const point = line.split(' ')[4];
    if (point !== undefined && point.startsWith('/')) points.push(unescaped(point));
  }
  points.sort();
  const shown: AbsolutePath[] = [];
  for (const point of points) {
    if (point === '/' || NEVER.some((path) => isWithin(point, path))) continue;
    if (!shown.some((above) => isWithin(point, above))) shown.push(point);
  }
  return shown;
}

/** The kernel writes space, tab, newline and backslash as three octal digits. */
function unescaped(text: Bytes): Bytes {
  return text
    .split('\\')
    .map((part, index) =>
      index === 0 ? part : String.fromCharCode(Number.parseInt(part.slice(0, 3), 8)) + part.slice(3),
    )
    .join('');
}

/** Binds the other file systems of the host to where they are there. */
export function addHostFileSystems(list: MountList, options: LaunchOptions, facts: Facts): void {
  if (!facts.configuration.mountHostfs || options.contain || options.noMount.includes('hostfs')) return;
  for (const path of facts.hostFileSystems) {
    const status = facts.paths.get(path) ?? null;
    if (status !== null) list.host(path, path, status.type === 'directory' ? 'directory' : 'file', 'warning');
  }
}

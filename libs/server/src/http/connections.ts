import { readFileSync } from 'node:fs';
import type { Server } from 'node:net';
import { LIMITS } from '../limits.js';
import type { Logger } from '../log.js';

/**
 * Bounds how many connections are open at a time: each keeps some memory and a descriptor, and a download a second one for its file.
 * Further clients are hung up on at once; that is said at most once in {@link LIMITS.dropsSaid}.
 */
export function limitConnections(
  server: Server,
  log: Pick<Logger, 'warn'>,
  most = mostConnections(openFilesLimit()),
): void {
  server.maxConnections = most;
  let dropped = 0;
  let timer: NodeJS.Timeout | undefined;
  server.on('drop', () => {
    dropped += 1;
    timer ??= setTimeout(() => {
      log.warn(`Hung up on ${dropped} clients: ${most} connections are open, and that is the most`);
      dropped = 0;
      timer = undefined;
    }, LIMITS.dropsSaid).unref();
  });
}

/** @param files how many descriptors the process may have; undefined: not known */
export function mostConnections(files: number | undefined): number {
  if (files === undefined) return LIMITS.connections;
  return Math.min(LIMITS.connections, Math.max(1, Math.floor((files - LIMITS.otherFiles) / 2)));
}

/** The soft limit, which Node raises to the hard one at its start (proc_pid_limits(5)). */
function openFilesLimit(): number | undefined {
  try {
    const [, soft] = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1')) ?? [];
    return soft === undefined ? undefined : Number(soft);
  } catch {
    return undefined;
  }
}

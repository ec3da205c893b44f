import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';

const DEADLINE = 10_000;

/** The processes of this machine whose command line or name contains `word`, zombies (which are over) left out. */
export function processesWith(word: string): string[] {
  const found: string[] = [];
  for (const pid of readdirSync('/proc').filter(
    (name) => /^\d+$/.test(name) && Number(name) !== process.pid,
  )) {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
      const state = stat.slice(stat.lastIndexOf(')') + 2, stat.lastIndexOf(')') + 3);
      const line = `${readFileSync(`/proc/${pid}/comm`, 'latin1')} ${readFileSync(`/proc/${pid}/cmdline`, 'latin1').replaceAll('\0', ' ')}`;
      if (state !== 'Z' && line.includes(word)) found.push(`${pid} ${line.replaceAll('\n', ' ').trim()}`);
    } catch {
      // It ended while it was looked at.
    }
  }
  return found;
}

/** What a process has started and not awaited yet; nothing for one that is gone. */
export function childrenOf(pid: number): number[] {
  try {
    return readdirSync(`/proc/${pid}/task`).flatMap((thread) =>
      readFileSync(`/proc/${pid}/task/${thread}/children`, 'latin1')
        .split(' ')
        .filter((word) => word !== '')
        .map(Number),
    );
  } catch {
    return [];
  }
}

/** Waits until `done` says so; the kernel takes things down a moment after a process has ended. @throws Error with what was there at the deadline */
export async function eventually(what: string, done: () => boolean | readonly unknown[]): Promise<void> {
  const end = Date.now() + DEADLINE;
  for (;;) {
    const result = done();
    if (result === true || (Array.isArray(result) && result.length === 0)) return;
    if (Date.now() > end)
      throw new Error(`Expected ${what} within ${DEADLINE} ms, got ${JSON.stringify(result)}`);
    await pause(20);
  }
}

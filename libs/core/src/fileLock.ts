import { lstat, readlink, symlink, unlink } from 'node:fs/promises';
import { setTimeout as wait } from 'node:timers/promises';
import { DomainError, systemCode } from './errors.js';
import { processName, stateOfProcess } from './process-name.js';

export interface FileLockOptions {
  /** Milliseconds to wait for another holder before giving up; 30 seconds by default. */
  readonly timeout?: number;
}

/**
 * Runs `work` while this process alone holds the lock `path`, a symbolic link whose target says who holds it: links are
 * made atomically and with their content, also on network file systems. A holder that was killed is found by process id
 * and start time, and its lock is taken over; one on another machine is never judged.
 * @throws DomainError `unavailable` when somebody else holds it all the time, with the path to remove in the remedy;
 * the system's error when the folder does not allow links
 */
export async function withFileLock<T>(
  path: string,
  work: () => Promise<T>,
  options: FileLockOptions = {},
): Promise<T> {
  await acquire(path, options.timeout ?? 30_000);
  try {
    return await work();
  } finally {
    await unlink(path).catch(() => undefined);
  }
}

async function acquire(path: string, timeout: number): Promise<void> {
  const deadline = performance.now() + timeout;
  while (!(await create(path))) {
    if (await breakDead(path)) continue;
    if (performance.now() >= deadline)
      throw new DomainError('unavailable', `Somebody else is changing the file: its lock is ${path}`, {
        reason: 'locked',
        remedy: `Wait for the other program, or remove ${path} when there is none.`,
      });
    await wait(20);
  }
}

async function create(path: string): Promise<boolean> {
  try {
    await symlink(processName(), path);
    return true;
  } catch (error) {
    if (systemCode(error) === 'EEXIST') return false;
    throw error;
  }
}

/**
 * Removes the lock of a holder that is dead. A second lock makes the look and the removal one step: without it two
 * waiters could find the same dead holder, and the slower one would remove the lock that the faster one just took.
 */
async function breakDead(path: string): Promise<boolean> {
  if (!(await holderIsDead(path))) return false;
  const breaker = `${path}.break`;
  if (!(await create(breaker))) {
    await removeOld(breaker);
    return false;
  }
  try {
    if (!(await holderIsDead(path))) return false;
    await unlink(path);
    return true;
  } finally {
    await unlink(breaker).catch(() => undefined);
  }
}

/** The second lock is held for microseconds: one that is a minute old belongs to nobody. */
async function removeOld(breaker: string): Promise<void> {
  const made = await lstat(breaker).catch(() => undefined);
  if (made !== undefined && Date.now() - made.mtimeMs > 60_000) await unlink(breaker).catch(() => undefined);
}

/** Only a holder of the same machine and process namespace can be judged: elsewhere the same id is another process. */
async function holderIsDead(path: string): Promise<boolean> {
  const holder = await readlink(path).catch(() => undefined);
  return holder !== undefined && stateOfProcess(holder) === 'gone';
}

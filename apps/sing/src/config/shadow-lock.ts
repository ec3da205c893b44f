import { link, readFile, rename, unlink, writeFile } from 'node:fs/promises';
import { setTimeout as wait } from 'node:timers/promises';
import { DomainError, systemCode } from '#libs/core';

/** Milliseconds. As long as shadow-utils wait, and as much again. */
const PATIENCE = 30_000;

/**
 * Runs `work` while this process has the lock of shadow-utils (lckpwdf and its like) on a file below /etc: `<file>.lock`, a second name of a file with the number of who has it.
 * useradd and usermod wait for it, and take over what somebody left who was killed; so does this.
 * @throws DomainError `unavailable` when somebody has it all the time; the system's error where the folder cannot be written
 */
export async function withShadowLock<T>(
  file: string,
  work: () => Promise<T>,
  patience = PATIENCE,
): Promise<T> {
  const lock = `${file}.lock`;
  const own = `${file}.${process.pid}`;
  await writeFile(own, `${process.pid}\0`, { mode: 0o600 });
  try {
    const deadline = performance.now() + patience;
    while (!(await taken(own, lock))) {
      if (await breakDead(lock, `${own}-dead`)) continue;
      if (performance.now() >= deadline)
        throw new DomainError('unavailable', `Somebody else is changing the file: its lock is ${lock}`, {
          reason: 'locked',
          remedy: `Wait for the other program, or remove ${lock} when there is none.`,
        });
      await wait(50);
    }
  } finally {
    await unlink(own).catch(() => undefined);
  }
  try {
    return await work();
  } finally {
    await unlink(lock).catch(() => undefined);
  }
}

async function taken(own: string, lock: string): Promise<boolean> {
  try {
    await link(own, lock);
    return true;
  } catch (error) {
    if (systemCode(error) === 'EEXIST') return false;
    throw error;
  }
}

/** Takes a lock of somebody dead aside and looks again: what was taken meanwhile by somebody alive is put back. */
async function breakDead(lock: string, aside: string): Promise<boolean> {
  if (!(await isDead(lock))) return false;
  try {
    await rename(lock, aside);
  } catch (error) {
    // Somebody else did.
    if (systemCode(error) === 'ENOENT') return true;
    throw error;
  }
  try {
    if (!(await isDead(aside))) await taken(aside, lock);
  } finally {
    await unlink(aside).catch(() => undefined);
  }
  return true;
}

/** What says nobody's number is left alone. */
async function isDead(lock: string): Promise<boolean> {
  const text = await readFile(lock, 'latin1').catch(() => '');
  const number = /^[1-9]\d{0,9}(?=\0?\s*$)/.exec(text)?.[0];
  if (number === undefined) return false;
  try {
    process.kill(Number(number), 0);
    return false;
  } catch (error) {
    return systemCode(error) === 'ESRCH';
  }
}

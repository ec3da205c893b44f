import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { systemCode } from '#libs/core';

/** A process that cannot be mistaken for another one: ids are used again, start times (since boot) are not. */
export interface ProcessIdentity {
  readonly pid: number;
  readonly started: string;
}

export type Children = Readonly<Record<string, ProcessIdentity>>;

/** The identity of a process that runs now, or undefined. */
export function identify(pid: number): ProcessIdentity | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The name (field 2) is in parentheses and may hold anything; after it come state (3) … start time (22).
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
    return fields[0] === 'Z' ? undefined : { pid, started: `${boot}:${fields[19] ?? ''}` };
  } catch {
    return undefined;
  }
}

/** Whether exactly this process still runs. */
export function isAlive(identity: ProcessIdentity): boolean {
  return identify(identity.pid)?.started === identity.started;
}

const fileOf = (runFolder: string): string => join(runFolder, 'processes.json');

/**
 * Notes the children, so that whoever comes after a killed supervisor can end them. Appears whole, so that a kill in the middle
 * loses none of them; on a full disk the old note stays, because the instance must not end for want of a note.
 * @returns whether it was written
 */
export function writeChildren(runFolder: string, children: Children): boolean {
  const file = fileOf(runFolder);
  try {
    writeFileSync(`${file}.new`, JSON.stringify(children), { mode: 0o600 });
    renameSync(`${file}.new`, file);
    return true;
  } catch {
    return false;
  }
}

function readChildren(runFolder: string): Children {
  try {
    return JSON.parse(readFileSync(fileOf(runFolder), 'utf8')) as Children;
  } catch {
    return {};
  }
}

/**
 * Ends what a killed supervisor left behind: asks, waits, then kills. Touches only processes whose start time is the noted one.
 * @returns the names of those that were still there
 */
export async function endLeftovers(runFolder: string, patience = 20_000): Promise<string[]> {
  const left = Object.entries(readChildren(runFolder)).filter(([, identity]) => isAlive(identity));
  for (const [, identity] of left) signal(identity, 'SIGTERM');
  const deadline = performance.now() + patience;
  while (left.some(([, identity]) => isAlive(identity))) {
    if (performance.now() > deadline) for (const [, identity] of left) signal(identity, 'SIGKILL');
    await wait(50);
  }
  writeChildren(runFolder, {});
  return left.map(([name]) => name);
}

/** Sends a signal to exactly this process. */
export function signal(identity: ProcessIdentity, name: NodeJS.Signals): void {
  if (!isAlive(identity)) return;
  try {
    process.kill(identity.pid, name);
  } catch (error) {
    if (systemCode(error) !== 'ESRCH') throw error;
  }
}

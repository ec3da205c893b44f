import { readFileSync } from 'node:fs';
import { processesBelow } from '../soak/process.mjs';

/** Fields of proc_pid_stat(5), counted behind the name, which may hold anything. */
const CMINFLT = 8;

/**
 * What a process has started so far: children that run, and a number that grows with every child that ended, however short it lived (the
 * page faults of children that were waited for).
 */
export function startedBy(pid) {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return { running: processesBelow(pid).length, ended: Number(fields[CMINFLT]) };
}

import { readdirSync, readFileSync } from 'node:fs';

/** Ids of every process below `root`, with it, in no order. Whoever ends meanwhile is left out. */
export function processesBelow(root) {
  const childrenOf = new Map();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const stat = readOrNothing(`/proc/${name}/stat`);
    // The name (field 2) is in parentheses and may hold anything; state and parent follow it.
    const [state, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (stat === '' || state === 'Z') continue;
    childrenOf.set(Number(parent), [...(childrenOf.get(Number(parent)) ?? []), Number(name)]);
  }
  const found = [];
  for (const waiting = [root]; waiting.length > 0;) {
    const next = waiting.pop();
    found.push(next);
    waiting.push(...(childrenOf.get(next) ?? []));
  }
  return found;
}

/** Command line of a process, words separated by blanks; empty when it is gone. */
export function commandOf(pid) {
  return readOrNothing(`/proc/${pid}/cmdline`).replaceAll('\0', ' ').trim();
}

/** MiB of memory that would be free without this process: pages shared with others count in part (PSS). */
export function memoryOf(pid) {
  return Number(/^Pss: +(\d+) kB/m.exec(readOrNothing(`/proc/${pid}/smaps_rollup`))?.[1] ?? 0) / 1024;
}

/** MiB of memory that a process has, with all that it shares with others. */
export function residentOf(pid) {
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(readOrNothing(`/proc/${pid}/status`))?.[1] ?? 0) / 1024;
}

/** Milliseconds that the threads of a process have worked so far, in the program and in the system. */
export function processorTimeOf(pid) {
  const stat = readOrNothing(`/proc/${pid}/stat`);
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  // proc_pid_stat(5): utime and stime are fields 14 and 15, in ticks of 10 ms; the first one here is field 3.
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

function readOrNothing(path) {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}

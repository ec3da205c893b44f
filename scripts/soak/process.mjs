import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';

export { freePort } from '../../test/support/ports.ts';

/** What the descriptors of a process lead to. */
export function descriptorsOf(pid) {
  const folder = `/proc/${pid}/fd`;
  return readdirSync(folder).map((name) => {
    try {
      return readlinkSync(join(folder, name));
    } catch {
      return 'gone';
    }
  });
}

/** Bytes of memory that a process has for itself alone (proc_pid_status(5), RssAnon): its program is shared with others, and can be read again. */
export function ownMemoryOf(pid) {
  return Number(/^RssAnon:\s+(\d+) kB/m.exec(textOr(`/proc/${pid}/status`))?.[1] ?? 0) * 1024;
}

/** Milliseconds that the threads of a process have worked so far. */
export function processorTimeOf(pid) {
  const stat = textOr(`/proc/${pid}/stat`);
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  // proc_pid_stat(5): utime and stime are fields 14 and 15, in ticks of 10 ms; the first one here is field 3.
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

/** Ids of all processes below `root`, without it. */
export function processesBelow(root) {
  const found = [root];
  for (const pid of found)
    for (const task of listOr(`/proc/${pid}/task`))
      found.push(...childrenOf(`/proc/${pid}/task/${task}/children`));
  return found.slice(1);
}

/** Command line of a process; empty when it is gone. */
export function commandOf(pid) {
  return textOr(`/proc/${pid}/cmdline`).replaceAll('\0', ' ').trim();
}

const childrenOf = (file) => textOr(file).split(' ').filter(Boolean).map(Number);

function listOr(folder) {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function textOr(file) {
  try {
    return readFileSync(file, 'latin1');
  } catch {
    return '';
  }
}

import { createHash } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';

/** What can be said of a process from here; `unknown` when it belongs to another machine or process namespace. */
export type ProcessState = 'running' | 'gone' | 'unknown';

const NAME = /^([0-9a-f]{16})-([0-9a-f]{8})-(\d{1,20})-(\d{1,10})-(\d{1,20})$/;

/**
 * A name of this process that no other one has or gets, good in file names: machine, start of the machine, process
 * namespace, process id and start time. Whoever finds it in what the process has left asks {@link stateOfProcess}.
 */
export function processName(): string {
  const { machine, boot, namespace } = ownPlace();
  return [machine, boot, namespace, process.pid, startOf(process.pid)].join('-');
}

/** Whether a text has the form of a {@link processName}. */
export function isProcessName(text: string): boolean {
  return NAME.test(text);
}

/** Whether the process of a {@link processName} runs. Anything else is `unknown`. */
export function stateOfProcess(name: string): ProcessState {
  const [, machine, boot, namespace, pid, start] = NAME.exec(name) ?? [];
  const own = ownPlace();
  if (machine !== own.machine) return 'unknown';
  // After every start of the machine ids are given anew: one from before is not taken for a living process.
  if (boot !== own.boot) return 'gone';
  if (namespace !== own.namespace) return 'unknown';
  return startOf(Number(pid)) === start ? 'running' : 'gone';
}

interface Place {
  readonly machine: string;
  readonly boot: string;
  readonly namespace: string;
}

let place: Place | undefined;
function ownPlace(): Place {
  return (place ??= {
    machine: shortHash(`${hostname()}/${textOf('/etc/machine-id')}`).slice(0, 16),
    boot: shortHash(textOf('/proc/sys/kernel/random/boot_id')).slice(0, 8),
    namespace: readlinkSync('/proc/self/ns/pid').replace(/\D/g, ''),
  });
}

function shortHash(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'latin1').trim();
  } catch {
    return '';
  }
}

/**
 * Start time of a process in ticks since boot, 0 when there is none: process ids are used again, pairs are not. One that has
 * ended and that nobody has asked about yet does nothing any more.
 */
function startOf(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The name in parentheses may hold anything: the fields are counted from the last one.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' || fields[0] === 'X' ? '0' : (fields[19] ?? '0');
  } catch {
    return '0';
  }
}

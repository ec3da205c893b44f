import type { Host } from '../host.js';
import type { Bytes } from '../plan.js';
import { refusal } from '../refusal.js';
import { configurationFolder, readTrusted } from './trustedFile.js';

/** Every capability by its number (runtime contract §3.5). */
const NAMES: readonly Bytes[] = (
  'CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW ' +
  'IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE ' +
  'AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE'
).split(' ');

/**
 * What capability.json grants to somebody and their groups, for `root default capabilities = file` (runtime contract §2.12, §3.5): nothing without a file or in an empty
 * one. Names that no capability has are left out.
 * @throws DomainError (status 255) for a file that others could have written, that is no JSON of this form, or that says something twice
 */
export function grantedCapabilities(host: Host, user: Bytes, groups: readonly Bytes[]): readonly Bytes[] {
  const path = `${configurationFolder(host)}/capability.json`;
  const file = readTrusted(host, path);
  if (file === null || file.content === '') return [];
  const wrong = (what: string): Error => refusal(`${path} ${what}: nothing is granted from it`);
  if (saysTwice(file.content)) throw wrong('names something twice');
  let document: unknown;
  try {
    document = JSON.parse(file.content);
  } catch {
    throw wrong('is no JSON');
  }
  const granted = new Set<Bytes>();
  const take = (section: 'users' | 'groups', name: Bytes): void => {
    const names = member(member(document, section), name);
    if (names === undefined) return;
    if (!Array.isArray(names)) throw wrong('has something else than lists of capabilities');
    for (const one of names) {
      if (typeof one !== 'string') throw wrong('has something else than lists of capabilities');
      const plain = one.toUpperCase();
      const short = plain.startsWith('CAP_') ? plain.slice('CAP_'.length) : plain;
      if (NAMES.includes(short)) granted.add(`CAP_${short}`);
    }
  };
  take('users', user);
  for (const group of groups) take('groups', group);
  return [...granted];
}

function member(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined;
  return (value as Readonly<Record<string, unknown>>)[name];
}

/** Whether an object of a JSON text has a name twice: readers differ in which one counts. */
function saysTwice(text: Bytes): boolean {
  const open: Set<Bytes>[] = [];
  let last = '';
  for (let index = 0; index < text.length; index += 1) {
    const character = text.charAt(index);
    if (character === '"') {
      const start = index;
      for (index += 1; index < text.length && text.charAt(index) !== '"'; index += 1)
        if (text.charAt(index) === '\\') index += 1;
      last = text.slice(start, index);
    } else if (character === '{') open.push(new Set());
    else if (character === '}') open.pop();
    else if (character === ':') {
      const names = open.at(-1);
      if (names?.has(last) === true) return true;
      names?.add(last);
    }
  }
  return false;
}

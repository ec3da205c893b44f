import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { childrenOf } from './processes.js';

/** A TCP connection over IPv4 as one of its ends sees it. */
export interface Connection {
  readonly localPort: number;
  readonly remotePort: number;
}

const ESTABLISHED = '01';

/** One with the inode of the socket at its end. */
interface OpenConnection extends Connection {
  readonly inode: string;
}

/**
 * All TCP connections of this machine over IPv4, as the kernel says. It goes through a large table for that: whoever looks for
 * several processes looks for them in one answer.
 */
export function openConnections(): readonly OpenConnection[] {
  // Behind the heading: number, local and remote address, state, and in the tenth column the inode.
  const [, ...lines] = readFileSync('/proc/net/tcp', 'latin1').trimEnd().split('\n');
  return lines.flatMap((line) => {
    const [, local, remote, state, , , , , , inode = ''] = line.trim().split(/\s+/);
    return state === ESTABLISHED ? [{ localPort: portOf(local), remotePort: portOf(remote), inode }] : [];
  });
}

/** Those of them that a process, or anything that it started, has. Empty for one that has ended. */
export function connectionsOf(pid: number, open = openConnections()): readonly Connection[] {
  const sockets = new Set(familyOf(pid).flatMap(socketsOf));
  return open.filter(({ inode }) => sockets.has(inode));
}

/** `0100007F:1F90` → 8080. */
function portOf(address = ''): number {
  return Number.parseInt(address.split(':')[1] ?? '', 16);
}

/** A process and its descendants. */
function familyOf(pid: number): number[] {
  return [pid, ...childrenOf(pid).flatMap(familyOf)];
}

function socketsOf(pid: number): string[] {
  const folder = `/proc/${pid}/fd`;
  return entriesOf(folder).flatMap((name) => {
    const [, inode] = /^socket:\[(\d+)\]$/.exec(linkOf(`${folder}/${name}`)) ?? [];
    return inode === undefined ? [] : [inode];
  });
}

// What ends while it is looked at has nothing.
const entriesOf = (folder: string): string[] => orElse([], () => readdirSync(folder));
const linkOf = (path: string): string => orElse('', () => readlinkSync(path));

function orElse<T>(otherwise: T, read: () => T): T {
  try {
    return read();
  } catch {
    return otherwise;
  }
}

import { parseCount } from '../bytes.js';
import { idMapPrograms } from '../collectFacts.js';
import type { Host } from '../host.js';
import type { Bytes, UserNamespace } from '../plan.js';
import { findSubordinate, SUBORDINATE_COUNT } from '../subordinate.js';

const LARGEST_FILE = 4 * 1024 * 1024;

/**
 * Where builds that root starts have their ids when /etc/subuid has no entry for root: a block that no distribution, no directory service by default, and
 * no container manager gives out (systemd's table calls 1879048192–2147483647 unused). The next free block is taken when somebody has it.
 */
export const BUILD_IDS = 2_000_000_000;

/** With which ids a build runs. */
export interface BuildIds {
  /** Null: the caller already is in a user namespace with the power that a build needs. */
  readonly userNamespace: UserNamespace | null;
  /** Whom the files of the build's root user belong to on the outside: work folders are given to this owner. */
  readonly owner: { readonly uid: number; readonly gid: number };
  /** Only root exists inside: nothing can be given to another owner. The sentence says why and what helps; null when ids are there. */
  readonly singleId: Bytes | null;
}

/**
 * The ids for a build by this caller: root gets an unprivileged block (never itself, contract on builds: no root of the host inside), a user with
 * sub-ids its own id and those, any other user its own id alone. Inside an enclosure (planEnclosure): as it is.
 */
export function buildIds(host: Host): BuildIds {
  const identity = host.identity();
  const { effectiveUid: uid, effectiveGid: gid, initialUserNamespace } = identity;
  if (uid === 0 && identity.systemAdmin && !initialUserNamespace && host.environment().includes(ENCLOSED))
    return { userNamespace: null, owner: { uid, gid }, singleId: null };
  const isRoot = uid === 0 && identity.systemAdmin;
  const mapped = isRoot ? mappedIds(host) : 0;
  if (isRoot && mapped !== 1) return mappedBlock(host, mapped);
  const found = host.account(uid);
  const name = 'error' in found ? null : found.name;
  const ranges = { uid: entry(host, '/etc/subuid', name, uid), gid: entry(host, '/etc/subgid', name, uid) };
  const programs = idMapPrograms(host);
  if (isRoot || ranges.uid === null || ranges.gid === null || programs === null) {
    const reason = isRoot
      ? 'the namespace that this runs in has one id only'
      : ranges.uid === null || ranges.gid === null
        ? `there are no sub-ids for ${name ?? uid} in /etc/subuid and /etc/subgid`
        : 'newuidmap and newgidmap are not installed';
    return {
      userNamespace: {
        uidMap: [{ inside: 0, outside: uid, count: 1 }],
        gidMap: [{ inside: 0, outside: gid, count: 1 }],
        setgroups: 'deny',
        writtenBy: { kind: 'self' },
        enterAs: null,
      },
      owner: { uid, gid },
      singleId: reason,
    };
  }
  return {
    userNamespace: {
      uidMap: [
        { inside: 0, outside: uid, count: 1 },
        { inside: 1, ...ranges.uid },
      ],
      gidMap: [
        { inside: 0, outside: gid, count: 1 },
        { inside: 1, ...ranges.gid },
      ],
      setgroups: 'allow',
      writtenBy: { kind: 'programs', ...programs },
      enterAs: { uid: 0, gid: 0, groups: [0] },
    },
    owner: { uid, gid },
    singleId: null,
  };
}

/** Marks the environment of an enclosure, so that what runs in it knows that its root is not the host's. */
export const ENCLOSED: Bytes = 'SING_BUILD_ENCLOSED=1';

function entry(
  host: Host,
  path: string,
  name: Bytes | null,
  uid: number,
): { outside: number; count: number } | null {
  const file = host.readFile(path, LARGEST_FILE, 'follow');
  if ('error' in file) return null;
  const found = findSubordinate(file.content, name, uid);
  return found.kind === 'range' ? found.range : null;
}

/** Ids of root's own entry, else of a free block; in a container whose root has few ids, the upper half of those. */
function mappedBlock(host: Host, mapped: number): BuildIds {
  const own = (path: string): { outside: number; count: number } | null => {
    const range = entry(host, path, 'root', 0);
    return range !== null && range.outside + range.count <= mapped ? range : null;
  };
  const block = freeBlock(host, mapped);
  const uid = own('/etc/subuid') ?? block;
  const gid = own('/etc/subgid') ?? block;
  return {
    userNamespace: {
      uidMap: [{ inside: 0, ...uid }],
      gidMap: [{ inside: 0, ...gid }],
      setgroups: 'allow',
      writtenBy: { kind: 'parent' },
      enterAs: { uid: 0, gid: 0, groups: [0] },
    },
    owner: { uid: uid.outside, gid: gid.outside },
    singleId: null,
  };
}

/** How many ids exist from 0 on where the caller is. */
function mappedIds(host: Host): number {
  const file = host.readFile('/proc/self/uid_map', 64 * 1024, 'follow');
  if ('error' in file) return 0;
  const words = (file.content.split('\n')[0] ?? '').split(' ').filter((word) => word !== '');
  return words[0] === '0' ? (parseCount(words[2] ?? '') ?? 0) : 0;
}

function freeBlock(host: Host, mapped: number): { outside: number; count: number } {
  if (mapped < BUILD_IDS + SUBORDINATE_COUNT) {
    const count = Math.min(SUBORDINATE_COUNT, Math.floor(mapped / 2));
    return { outside: mapped - count, count };
  }
  const taken = ['/etc/subuid', '/etc/subgid'].flatMap((path) => givenOut(host, path));
  let outside = BUILD_IDS;
  while (taken.some((range) => range.start < outside + SUBORDINATE_COUNT && outside < range.end))
    outside += SUBORDINATE_COUNT;
  return { outside, count: SUBORDINATE_COUNT };
}

function givenOut(host: Host, path: string): readonly { start: number; end: number }[] {
  const file = host.readFile(path, LARGEST_FILE, 'follow');
  if ('error' in file) return [];
  return file.content.split('\n').flatMap((line) => {
    const [, start = '', count = ''] = line.split(':');
    const first = parseCount(start);
    const size = parseCount(count);
    return first === null || size === null ? [] : [{ start: first, end: first + size }];
  });
}

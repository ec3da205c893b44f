import type { AbsolutePath, Bytes, Handle } from './plan.js';

/**
 * What the planner may ask about the host: a closed set of functions, implemented once in the native core and offered both to the planner's
 * engine (global object `host`) and to Node (`addon`). All are synchronous, act with the caller's rights, change nothing, and never throw: what cannot be had
 * is a `HostFailure`. Texts are byte strings (see plan.ts). Relative paths are refused with `EINVAL`, as are paths over 4095 bytes and texts with U+0000
 * or characters above U+00FF.
 */
export interface Host {
  /** Who calls and what is allowed. */
  identity(): HostIdentity;
  /** The environment as it was given to the program, `NAME=value`, in order, at most 10,000 entries. */
  environment(): readonly Bytes[];
  /** getcwd; `ENOENT` when the directory was deleted. */
  workingDirectory(): AbsolutePath | HostFailure;
  /** Where the program is installed. */
  installation(): Installation;
  /** stat: links followed. */
  status(path: AbsolutePath): FileStatus | HostFailure;
  /** lstat. */
  linkStatus(path: AbsolutePath): FileStatus | HostFailure;
  /** readlink. */
  readLink(path: AbsolutePath): Bytes | HostFailure;
  /** realpath: every link resolved; the last part must exist. */
  realPath(path: AbsolutePath): AbsolutePath | HostFailure;
  /** Whether the caller may read, write or execute (`faccessat` with the effective ids). */
  mayAccess(path: AbsolutePath, how: 'read' | 'write' | 'execute'): boolean;
  /**
   * Opens (O_NONBLOCK, so that a FIFO cannot hang it), checks that it is a regular file, reads to the end. `status` is that of the very descriptor that was read.
   * `EFBIG`: more than `limit` bytes (at most 16 MiB). `EINVAL`: no regular file (files of /proc and /sys are regular). `ELOOP`: `links` is `refuse`
   * and the last part is a link.
   */
  readFile(path: AbsolutePath, limit: number, links: 'follow' | 'refuse'): HostFile | HostFailure;
  /**
   * Opens an image and says what it is (runtime contract §1.7, §2.3): links resolved, then O_NOFOLLOW and the name compared. The handle stays open
   * (close-on-exec) until the program is replaced or the plan is done. `writable` opens files for reading and writing (directories are
   * the same). Unknown content is no failure: `type` is `unknown`.
   */
  openImage(path: AbsolutePath, writable: boolean): OpenedImage | HostFailure;
  /** The passwd entry of an id: /etc/passwd, then `getent passwd` with a deadline of 5 s. `ENOENT`: nobody has it. */
  account(uid: number): Account | HostFailure;
  /** The names of group ids, found in the same way (one `getent group` for all that /etc/group does not know); null where there is none. */
  groupNames(gids: readonly number[]): readonly (Bytes | null)[];
  /** Whether /dev/fuse can be opened for reading and writing (it is closed again at once). */
  mayUseFuse(): boolean;
  /** isatty of descriptor 0, 1 or 2. */
  isTerminal(descriptor: 0 | 1 | 2): boolean;
}

/** Why the host could not say: the symbolic name of the errno, for example `ENOENT`, and its text in English. */
export interface HostFailure {
  readonly error: string;
  readonly message: string;
}

export interface HostIdentity {
  readonly uid: number;
  readonly gid: number;
  readonly effectiveUid: number;
  readonly effectiveGid: number;
  /** Supplementary groups as getgroups tells them. */
  readonly groups: readonly number[];
  /** CAP_SYS_ADMIN is in the effective set. */
  readonly systemAdmin: boolean;
  /** The user namespace is the initial one (its id map is `0 0 4294967295`). */
  readonly initialUserNamespace: boolean;
  /** The caller's umask (which is not changed). */
  readonly umask: number;
  /** `x86_64`, `aarch64`, …: the machine of uname. */
  readonly machine: Bytes;
  /** The host's name, as uname says. */
  readonly hostName: Bytes;
}

export interface Installation {
  /** The folder that holds bin/, dist/, addon/ (found from /proc/self/exe; in Node from the addon's own place). */
  readonly root: AbsolutePath;
  /** Owner of that folder: beside root the only one whose configuration files count. */
  readonly owner: number;
  /** Version of the product, for example `0.1.0`. */
  readonly version: Bytes;
}

export type FileType = 'file' | 'directory' | 'link' | 'character' | 'block' | 'fifo' | 'socket';

export interface FileStatus {
  readonly type: FileType;
  /** Permission bits and setuid, setgid, sticky: `st_mode & 07777`. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  /** Decimal: 64-bit numbers do not fit the engine's. Only compared. */
  readonly device: Bytes;
  readonly inode: Bytes;
}

export interface HostFile {
  readonly content: Bytes;
  readonly status: FileStatus;
}

export interface OpenedImage {
  readonly handle: Handle;
  /** The path with every link resolved. */
  readonly path: AbsolutePath;
  readonly status: FileStatus;
  readonly type: 'directory' | 'sif' | 'squashfs' | 'ext3' | 'unknown';
  /** The file system to run: of a SIF its primary system partition, of a bare image the whole; null for directories, `unknown`, and a SIF without one. */
  readonly partition: ImagePartition | null;
  /** Of a SIF: its overlay and data partitions, in the order of its table, at most 64. */
  readonly others: readonly NumberedPartition[];
  /** Why a file that began like a known type is not usable (a broken SIF for example), as a sentence; null otherwise. */
  readonly problem: Bytes | null;
}

export interface ImagePartition {
  /** `encrypted`: an encrypted squashfs; `other`: a type that SIF does not name. */
  readonly fileSystem: 'squashfs' | 'ext3' | 'erofs' | 'encrypted' | 'other';
  readonly offset: number;
  readonly size: number;
  /** GOARCH name from the SIF (`amd64`, `arm64`, …); null where the image does not say. */
  readonly architecture: Bytes | null;
}

export interface NumberedPartition extends ImagePartition {
  /** Number of the object in the SIF. */
  readonly id: number;
  readonly kind: 'overlay' | 'data';
  /** Why it cannot be used, as a sentence; its other fields mean nothing then. */
  readonly problem: Bytes | null;
}

export interface Account {
  readonly name: Bytes;
  readonly uid: number;
  readonly gid: number;
  readonly gecos: Bytes;
  readonly home: Bytes;
  readonly shell: Bytes;
}

/**
 * The launch plan: everything the native executor does to start a container, decided beforehand as plain data.
 *
 * Every field is present (null where there is nothing), every union is told apart by `kind`, every set is closed: the executor refuses a
 * plan with an unknown kind, a missing field, an absolute path that is not absolute, a `..` in a session path, or a size beyond its limits,
 * although the planner never writes one. Texts are byte strings: one character U+0000–U+00FF per byte, never U+0000 itself.
 *
 * ## What the executor does, in this order
 *  1. Check the plan. Open nothing yet.
 *  2. Fork what must live outside the new namespaces: one FUSE server per `mount_image` step that may use the `fuse` backend (a server forked
 *     after `unshare` would keep its own mount alive for ever), one helper that writes the id maps when `user.writtenBy` is not `self`,
 *     one cleaner per `extract` backend. Each is told by a socket pair what to do and ends by itself when the container is gone. Programs of `program` backends and of
 *     `by` are opened here, and started by their steps.
 *  3. `unshare` the user namespace (when `namespaces.user` is not null), write the id maps; then unshare all other wanted namespaces at once.
 *  4. With `namespaces.pid`, a `sequence`, or a `program` backend that writes: fork; the child goes on, the parent waits, forwards signals and ends as the child
 *     ended, in the last case after the program has written everything.
 *  5. Make every mount of the host `propagation` slave or private, recursively.
 *  6. With the caller's ids still in force, open (`O_PATH`, following links, in the host's view) every `host` source and check every handle
 *     that the steps name: the session hides its own mount point from here on. Copy the sources of recursive binds with all their mounts: later the
 *     session would be among those. A source that does not open is remembered; its step fails later, by its own `onFailure`.
 *  7. Take the ids of `namespaces.user.enterAs`, when given (gid, groups, uid in this order), and check that they were taken.
 *  8. Mount the session (`session`), then do `steps` in order.
 *  9. Make `root` the root of the process: `pivot_root(".", ".")`, old root slave, detach it. (`sequence`: per command, see Command.)
 * 10. Close every descriptor of its own that a path could reach (sources, handles, session: `/proc/self/fd/N` as working directory must lead nowhere),
 *     apply `credentials`, go to the first possible entry of `workingDirectory`, set `PWD` to where that is, apply `umask`, run the payload.
 *
 * A step that fails is reported with its index, its kind, its path and the errno. With `onFailure: 'fatal'` the launch ends there: message
 * `FATAL:   while …: <reason>`, status 255. `/dev/fuse` is opened after step 3, never before (EINVAL otherwise). Everything the executor
 * opens is close-on-exec.
 */

import type { Become, Credentials, Identity, Instance, Sequence } from './payload.js';
import type { Step } from './steps.js';
import type { AbsolutePath, Bytes, SessionPath } from './words.js';

export type * from './payload.js';
export type * from './steps.js';
export type * from './words.js';

export interface LaunchPlan {
  /** Format of this document; the executor refuses any other. */
  readonly format: 1;
  /** What messages of the executor reach stderr (runtime contract §1.2). */
  readonly messages: MessageSettings;
  readonly namespaces: Namespaces;
  readonly session: Session;
  readonly steps: readonly Step[];
  /** The session path that becomes the container's root, for example `root` (overlay) or `rootfs` (writable directory). */
  readonly root: SessionPath;
  readonly credentials: Credentials;
  readonly run: Become | Sequence | Instance;
  /**
   * True: descriptors above 2 that the caller left open without close-on-exec reach the payload (a start from a shell).
   * False: everything above 2 is closed (a start by a service). Descriptors 0–2 that are closed are opened on /dev/null in both cases.
   */
  readonly inheritDescriptors: boolean;
  /** True: everything of this launch is killed when the process that started it dies (PDEATHSIG at every fork, checked against a race). Not for an instance. */
  readonly dieWithParent: boolean;
}

export interface MessageSettings {
  /** FATAL −4, ERROR −3, WARNING −2, LOG −1, INFO 1, VERBOSE 2–4, DEBUG 5: a message is printed when its own number is not above this one. */
  readonly level: number;
  readonly colour: boolean;
}

export interface Namespaces {
  /** Null: no new user namespace (root mode). */
  readonly user: UserNamespace | null;
  /** A mount namespace is always new. This is what the host's mounts become in it: `slave` still receives new host mounts. */
  readonly propagation: 'slave' | 'private';
  /** Null: the caller's PID namespace. */
  readonly pid: PidNamespace | null;
  readonly ipc: boolean;
  readonly uts: UtsNamespace | null;
  /** `loopback`: a new network namespace with nothing but `lo`, which the executor brings up. */
  readonly net: 'host' | 'loopback';
}

export interface UserNamespace {
  /** At most 340 entries each, in the order given. */
  readonly uidMap: readonly IdRange[];
  readonly gidMap: readonly IdRange[];
  /** Written to /proc/…/setgroups before the gid map. `deny` is required when an unprivileged process writes its own gid map. */
  readonly setgroups: 'allow' | 'deny';
  readonly writtenBy: IdMapWriter;
  /** Ids (inside) taken after sources are opened and before the first mount; null: none (`self`: the caller's id is already mapped). */
  readonly enterAs: Identity | null;
}

/** `count` ids from `inside` in the namespace are `outside`… on the host. */
export interface IdRange {
  readonly inside: number;
  readonly outside: number;
  readonly count: number;
}

export type IdMapWriter =
  /** The process writes its own maps: one entry each, its own effective ids. */
  | { readonly kind: 'self' }
  /** The forked helper runs these setuid programs (absolute host paths) on the process: `newuidmap PID inside outside count …`. */
  | { readonly kind: 'programs'; readonly newuidmap: AbsolutePath; readonly newgidmap: AbsolutePath }
  /** The forked helper, which stays outside with the caller's privilege (CAP_SETUID, CAP_SETGID there), writes the maps. */
  | { readonly kind: 'parent' };

export interface PidNamespace {
  /**
   * True: process 1 is a shim that starts the payload as its child, reaps, forwards signals, and ends with 128+S when the payload died of
   * signal S (runtime contract §2.10). False: the payload is process 1. In a `sequence` process 1 is always the executor.
   */
  readonly shim: boolean;
}

export interface UtsNamespace {
  /** Null: keep the host's name. */
  readonly hostname: Bytes | null;
}

/**
 * A file system in memory of this launch only, mounted (nosuid,nodev, mode 0755) over `mountPoint`, an existing host directory, in the new mount namespace.
 * Session paths are relative to it. Nobody else sees it and it ends with the namespace.
 */
export interface Session {
  readonly mountPoint: AbsolutePath;
  readonly fileSystem: 'tmpfs' | 'ramfs';
  /** Size limit in bytes; null: the kernel's default (root, runtime contract §2.4). Without meaning for ramfs, which has none. */
  readonly sizeLimit: number | null;
}

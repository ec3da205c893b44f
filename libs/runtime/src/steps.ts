import type { AbsolutePath, Bytes, Handle, SessionPath } from './words.js';

/**
 * Where something lies. `session`: below the session tmpfs. `container`: an absolute path evaluated inside the container's root as it is at
 * that moment (`LaunchPlan.root` with everything mounted so far), links followed inside it, `..` clamped at it, never leaving it
 * (`openat2(RESOLVE_IN_ROOT)` or an own walk with the same result); the mount goes onto the descriptor that this walk opened.
 */
export type Place =
  | { readonly kind: 'session'; readonly path: SessionPath }
  | { readonly kind: 'container'; readonly path: AbsolutePath };

/** `host`: resolved as the caller in the host's view before the session is mounted, links followed. */
export type Source =
  | { readonly kind: 'host'; readonly path: AbsolutePath }
  | { readonly kind: 'session'; readonly path: SessionPath }
  | { readonly kind: 'handle'; readonly handle: Handle }
  /** What lies at `path` in the image that is mounted at the session path `at`; links are followed inside it. */
  | { readonly kind: 'image'; readonly at: SessionPath; readonly path: AbsolutePath }
  /**
   * A directory of the host, made when it is missing: `path` (as a session path) below `parent`, which is resolved as the caller in the host's view before the session is mounted.
   * Missing parts get mode 0755, a last part that was missing exactly `mode`; a part that is a link or no directory is a failure.
   */
  | {
      readonly kind: 'made';
      readonly parent: AbsolutePath;
      readonly path: SessionPath;
      readonly mode: number;
    };

/** Flags that the mount has at least. A bind also keeps every flag of its source mount (a user namespace cannot clear locked ones). */
export interface MountFlags {
  readonly readOnly: boolean;
  readonly nosuid: boolean;
  readonly nodev: boolean;
  readonly noexec: boolean;
}

/** `fatal` ends the launch; `warning` and `verbose` print at that level and go on; `silent` goes on. */
export type OnFailure = 'fatal' | 'warning' | 'verbose' | 'silent';

export type Step =
  | MakeDirectory
  | WriteFile
  | MakeLink
  | MountImage
  | PrepareTargets
  | MountOverlay
  | StageAccounts
  | Bind
  | MountFileSystem
  | PrepareLayer
  | MountUnderlay;

export type StepKind = Step['kind'];

/** Makes a directory and its missing parents (parents 0755) in the session, with exactly this mode. Fails when something else is there. */
export interface MakeDirectory {
  readonly kind: 'make_directory';
  readonly path: SessionPath;
  readonly mode: number;
}

/** Makes a new file (O_EXCL) with this content and exactly this mode in the session; its parent exists. Content at most 1 MiB. */
export interface WriteFile {
  readonly kind: 'write_file';
  readonly path: SessionPath;
  readonly content: Bytes;
  readonly mode: number;
}

/** Makes a symbolic link in the session that says `target` (any text); its parent exists. */
export interface MakeLink {
  readonly kind: 'make_link';
  readonly path: SessionPath;
  readonly target: Bytes;
}

/**
 * Puts the file system of an image (or a directory) at `at`, a session directory that exists. The `backends` are tried in this order and the
 * first that works is taken; why the others did not is told at level VERBOSE, and all reasons together when none works (fatal).
 */
export interface MountImage {
  readonly kind: 'mount_image';
  readonly image: ImageFile;
  readonly at: SessionPath;
  readonly flags: MountFlags;
  readonly backends: readonly ImageBackend[];
}

/** The opened image. The path is for messages and for the name of the mount only: content comes from the handle. */
export interface ImageFile {
  readonly handle: Handle;
  readonly path: AbsolutePath;
  /** Type of the file system in it; `directory`: the handle is a directory and `offset`, `size` are 0. */
  readonly fileSystem: 'directory' | 'squashfs' | 'ext3' | 'erofs';
  /** Where the file system begins in the file, and how many bytes belong to it. */
  readonly offset: number;
  readonly size: number;
}

export type ImageBackend =
  /** Bind the directory of the handle (not recursive), private, then the flags. Only for `directory`. */
  | { readonly kind: 'bind' }
  /**
   * A loop device (offset, size limit, AUTOCLEAR) and the kernel's driver. Root mode only; read-only but for an ext3 whose flags say otherwise. The executor takes
   * an ext3 only when the file belongs to root and nobody else can write it: the kernel trusts what it mounts.
   */
  | { readonly kind: 'loop' }
  /**
   * A copy of the mount that the starts of this user, in this cgroup, of this image share. It is asked for in step 2; the first start forks the server, which
   * ends when no start has been alive for `idleSeconds` and the mount is used nowhere. `folder` (host path, made when it is missing) has to be a directory of mode 0700
   * of the effective user; the sockets of servers are in it. Only for `squashfs`, read-only, and where no other ids than the mounting one exist inside.
   */
  | { readonly kind: 'shared'; readonly folder: AbsolutePath; readonly idleSeconds: number }
  /**
   * The own FUSE server that was forked in step 2 and serves the handle. Only for `squashfs`, read-only. `allowOther`: mounted with allow_other,
   * because other ids than the mounting one exist inside (sub-ids, root mode).
   */
  | { readonly kind: 'fuse'; readonly allowOther: boolean }
  /**
   * Bind the image from the cache of unpacked images at `directory` (host path; made when it is missing, with at most two folders above it), which has to be a directory of
   * mode 0700 of the effective user. An image that is not there is unpacked once; those that were not used for the longest time make room, so that all together take at most
   * `sizeLimit` bytes of the disk. One in use is never removed. Only for `squashfs`, read-only, `nosuid` and `nodev`, in a user namespace with one id and without capabilities.
   */
  | { readonly kind: 'unpacked'; readonly directory: AbsolutePath; readonly sizeLimit: number }
  /**
   * Unpack into a fresh 0700 directory below `directory` (host path) and bind that. The cleaner removes it when the process that became the
   * payload (with a PID namespace or a sequence: the namespace) has ended, also by SIGKILL. Unpacking stays inside the directory whatever
   * the image says; owners are those that the namespace allows.
   */
  | { readonly kind: 'extract'; readonly directory: AbsolutePath }
  /**
   * A program of the distribution (`fuse2fs`, owned by root) serves the handle. Only for `ext3`. It is started behind a fence, its call of mount is answered by the
   * executor, and it ends with the mount; when it writes, the launch waits for that. The bytes are locked as long as it lives, shared or for one writer.
   */
  | { readonly kind: 'program'; readonly program: AbsolutePath; readonly allowOther: boolean };

/**
 * Makes the missing mount points, before the overlay or underlay is mounted. Each `path` is walked from the root of `rootfs` (links interpreted inside
 * it, `..` clamped), looking at `rootfs` and at what was already made in `layer`. Parts that exist in neither are made in `layer`: directories
 * with mode 0755, the last part by `type` (files empty, 0644). A directory of `layer` that also exists in `rootfs` gets the mode of that one (it
 * covers it there). `layer` may be `rootfs` itself (a writable root whose missing mount points may stay). A path that leads through
 * something that is no directory, or ends at the wrong type, is left alone: its mount fails later by its own rule. Never fatal.
 */
export interface PrepareTargets {
  readonly kind: 'prepare_targets';
  readonly rootfs: SessionPath;
  readonly layer: SessionPath;
  readonly targets: readonly PreparedTarget[];
}

export type PreparedTarget =
  | { readonly path: AbsolutePath; readonly type: 'directory' | 'file' }
  /** Of the type that `inside` has in the image at the session path `at`. */
  | {
      readonly path: AbsolutePath;
      readonly type: 'like';
      readonly at: SessionPath;
      readonly inside: AbsolutePath;
    };

/**
 * Mounts an overlay at `at` (an existing session directory), always nosuid,nodev; read-only when `upper` is null. `lower` are session
 * directories, uppermost first. Tried with `xino=on`; EINVAL: again without; ESTALE: again with `index=off`. With `userXattr` also
 * `userxattr` (needed for opaque directories in a user namespace), left out when the kernel does not know it.
 */
export interface MountOverlay {
  readonly kind: 'mount_overlay';
  readonly lower: readonly SessionPath[];
  readonly upper: { readonly directory: SessionPath; readonly work: SessionPath } | null;
  readonly userXattr: boolean;
  readonly at: SessionPath;
  /** A program of the distribution (`fuse-overlayfs`, owned by root) that does it, where the kernel cannot: it takes no writable layer that is served by FUSE. */
  readonly by: { readonly program: AbsolutePath; readonly allowOther: boolean } | null;
  /**
   * When a MountUnderlay takes its place, with `lower` as its `layer` and `rootfs`: only `never` unless there are exactly these two, no `upper` and no `by`. `unfit`: when the file system
   * of the lowest is one of those that an overlay cannot read (runtime contract §2.4). `refused`: also when the kernel refuses the overlay for whatever reason. Told at VERBOSE.
   */
  readonly underlay: 'never' | 'unfit' | 'refused';
}

/**
 * Shows `rootfs` at `at` (an existing session directory), read-only, nosuid, nodev, with what `prepare_targets` has made in `layer`, without an overlay: a directory of `layer` that has something
 * its counterpart in `rootfs` lacks covers that, and everything else of the counterpart is bound into it, one mount each (links are made anew). So `layer` is used up. A directory that the
 * executor cannot read is left as it is. More than 20,000 entries are a failure, more than 50 mounts (with the binds of the plan) a WARNING. No path is followed: everything is reached from
 * the descriptor of its parent. Nothing is written to `rootfs`.
 */
export interface MountUnderlay {
  readonly kind: 'mount_underlay';
  readonly layer: SessionPath;
  readonly rootfs: SessionPath;
  readonly at: SessionPath;
}

/**
 * Makes a layer of what is mounted at `image`. `at` null: for writing: its directories `upper` and `work` are made when they are missing, and must be directories.
 * Else: at `at`, a session directory that exists, comes its directory `upper`, or all of it when it has none.
 */
export interface PrepareLayer {
  readonly kind: 'prepare_layer';
  readonly image: SessionPath;
  readonly at: SessionPath | null;
}

/**
 * Writes session copies of the image's own /etc/passwd and /etc/group with the caller in them (runtime contract §2.7). Each is read from
 * `rootfs`, resolved inside it, with the rights of the process, a regular file of at most 16 MiB.
 *  - passwd: the line whose third field is `user.uid` is replaced by the user's line, keeping its last field (shell) when that is not empty;
 *    without such a line the user's is added at the end.
 *  - group: for each of `groups` whose id is in no line, `name:x:gid:<user name>` is added.
 * A last line without newline gets one. A file that is absent, unreadable, or has a line (not empty, not `#…`, not `+…`/`-…`) with fewer than
 * 7 (passwd) or 4 (group) fields: WARNING, nothing is written, and the bind step of that session path does nothing.
 */
export interface StageAccounts {
  readonly kind: 'stage_accounts';
  readonly rootfs: SessionPath;
  readonly passwd: { readonly to: SessionPath; readonly user: AccountLine } | null;
  readonly group: {
    readonly to: SessionPath;
    readonly userName: Bytes;
    readonly groups: readonly GroupLine[];
  } | null;
}

/** Fields without `:` and newline (checked by both sides). */
export interface AccountLine {
  readonly name: Bytes;
  readonly uid: number;
  readonly gid: number;
  readonly gecos: Bytes;
  readonly home: AbsolutePath;
  readonly shell: Bytes;
}

export interface GroupLine {
  readonly name: Bytes;
  readonly gid: number;
}

/**
 * Binds `source` onto `target`, then remounts with `flags` ∪ the flags of the source mount (recursive: every mount below as well). A remount that fails with
 * EPERM in a user namespace is told at VERBOSE and counts as done unless `flags.readOnly` was asked and is not in force. File onto directory or the reverse is a
 * failure. A session source that does not exist (stage_accounts wrote none) does nothing.
 */
export interface Bind {
  readonly kind: 'bind';
  readonly source: Source;
  readonly target: Place;
  readonly recursive: boolean;
  readonly flags: MountFlags;
  readonly onFailure: OnFailure;
  /** Conditions looked at when its turn comes: if one holds, the step does nothing (told at DEBUG). */
  readonly unless: readonly BindUnless[];
}

export type BindUnless =
  /** The target already is the same directory or file (device and inode) as the source. */
  | { readonly kind: 'same_file' }
  /** The target, with links followed inside the container, is exactly this path. */
  | { readonly kind: 'resolves_to'; readonly path: AbsolutePath }
  /** The target, with links followed inside the container, is another path than its own text. */
  | { readonly kind: 'leads_elsewhere' };

/**
 * Mounts a fresh file system of the kernel. Options beyond the flags: `tmpfs`: `mode` and `sizeLimit` (bytes; null: the kernel's default); `devpts`:
 * newinstance, ptmxmode=0666, mode=0620, and gid=`ttyGroup` when not null. The others have none.
 */
export interface MountFileSystem {
  readonly kind: 'mount_file_system';
  readonly fileSystem: 'proc' | 'sysfs' | 'tmpfs' | 'devpts' | 'mqueue';
  readonly target: Place;
  readonly flags: MountFlags;
  /** Of the root directory; 0 where the file system has no such option. */
  readonly mode: number;
  readonly sizeLimit: number | null;
  readonly ttyGroup: number | null;
  readonly onFailure: OnFailure;
}

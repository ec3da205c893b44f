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
 *     one cleaner per `extract` backend. Each is told by a socket pair what to do and ends by itself when the container is gone.
 *  3. `unshare` the user namespace (when `namespaces.user` is not null), write the id maps; then unshare all other wanted namespaces at once.
 *  4. With `namespaces.pid` or a `sequence`: fork; the child goes on, the parent waits, forwards signals and ends as the child ended.
 *  5. Make every mount of the host `propagation` slave or private, recursively.
 *  6. With the caller's ids still in force, open (`O_PATH`, following links, in the host's view) every `host` source and check every handle
 *     that the steps name: the session hides its own mount point from here on. A source that does not open is remembered; its step fails later,
 *     by its own `onFailure`.
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

/** A byte string: characters U+0001–U+00FF, one per byte. */
export type Bytes = string;

/** An absolute path as seen by somebody who is said where the type is used; at most 4095 bytes. */
export type AbsolutePath = Bytes;

/** A path below the session tmpfs: relative, no empty, `.` or `..` parts, for example `lower` or `files/passwd`. */
export type SessionPath = Bytes;

/** The number of an open descriptor in the process that executes the plan (from `Host.openImage`, or given to `start` by the caller). */
export type Handle = number;

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
  readonly run: Become | Sequence;
  /**
   * True: descriptors above 2 that the caller left open without close-on-exec reach the payload (a start from a shell).
   * False: everything above 2 is closed (a start by a service). Descriptors 0–2 that are closed are opened on /dev/null in both cases.
   */
  readonly inheritDescriptors: boolean;
  /** True: everything of this launch is killed when the process that started it dies (PDEATHSIG at every fork, checked against a race). */
  readonly dieWithParent: boolean;
}

export interface MessageSettings {
  /** FATAL −4, ERROR −3, WARNING −2, LOG −1, INFO 1, VERBOSE 2–4, DEBUG 5: a message is printed when its own number is not above this one. */
  readonly level: number;
  readonly colour: boolean;
}

// ── namespaces ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

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

export interface Identity {
  readonly uid: number;
  readonly gid: number;
  /** For setgroups; null: leave them as they are (the mapping forbids changing them). */
  readonly groups: readonly number[] | null;
}

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

// ── session and steps ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────

/**
 * A tmpfs of this launch only, mounted (nosuid,nodev, mode 0755) over `mountPoint`, an existing host directory, in the new mount namespace.
 * Session paths are relative to it. Nobody else sees it and it ends with the namespace.
 */
export interface Session {
  readonly mountPoint: AbsolutePath;
  /** Size limit in bytes; null: the kernel's default (root, runtime contract §2.4). */
  readonly sizeLimit: number | null;
}

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
  | { readonly kind: 'handle'; readonly handle: Handle };

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
  | MountFileSystem;

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
  /** A read-only loop device (offset, size limit, AUTOCLEAR) and the kernel's driver. Root mode only. */
  | { readonly kind: 'loop' }
  /**
   * The own FUSE server that was forked in step 2 and serves the handle. Only for `squashfs`, read-only. `allowOther`: mounted with allow_other,
   * because other ids than the mounting one exist inside (sub-ids, root mode).
   */
  | { readonly kind: 'fuse'; readonly allowOther: boolean }
  /**
   * Unpack into a fresh 0700 directory below `directory` (host path) and bind that. The cleaner removes it when the process that became the
   * payload (with a PID namespace or a sequence: the namespace) has ended, also by SIGKILL. Unpacking stays inside the directory whatever
   * the image says; owners are those that the namespace allows.
   */
  | { readonly kind: 'extract'; readonly directory: AbsolutePath };

/**
 * Makes the missing mount points, before the overlay is mounted. Each `path` is walked from the root of `rootfs` (links interpreted inside
 * it, `..` clamped), looking at `rootfs` and at what was already made in `layer`. Parts that exist in neither are made in `layer`: directories
 * with mode 0755, the last part by `type` (files empty, 0644). A directory of `layer` that also exists in `rootfs` gets the mode of that one (it
 * covers it in the overlay). `layer` may be `rootfs` itself (a writable root whose missing mount points may stay). A path that leads through
 * something that is no directory, or ends at the wrong type, is left alone: its mount fails later by its own rule. Never fatal.
 */
export interface PrepareTargets {
  readonly kind: 'prepare_targets';
  readonly rootfs: SessionPath;
  readonly layer: SessionPath;
  readonly targets: readonly PreparedTarget[];
}

export interface PreparedTarget {
  readonly path: AbsolutePath;
  readonly type: 'directory' | 'file';
}

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
}

/**
 * Writes session copies of the image's own /etc/passwd and /etc/group with the caller in them (runtime contract §2.7). Each is read from
 * `rootfs`, resolved inside it, with the rights of the process, a regular file of at most 16 MiB.
 *  - passwd: the line whose third field is `user.uid` is replaced by the user's line, keeping its last field (shell) when that is not empty;
 *    without such a line the user's is added at the end.
 *  - group: for each of `groups` whose id is in no line, `name:x:gid:<user name>` is added.
 * A last line without newline gets one. A file that is absent, unreadable, or has a line (not empty, not `#…`, not `+…`/`-…`) with fewer than
 * 7 (passwd) or 4 (group) fields: WARNING (absent: VERBOSE), nothing is written, and the bind step of that session path does nothing.
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

// ── privileges and what is run ────────────────────────────────────────────────────────────────────────────────────────────────────────

/**
 * Final privileges, in the order of runtime contract §2.12: bounding set → keep caps → groups, gid, uid of `identity` → no_new_privs (read
 * back) → the effective, permitted, inheritable and ambient sets. All five sets are equal.
 */
export interface Credentials {
  /** Null: keep the ids of the process. */
  readonly identity: Identity | null;
  /** `none`: all five sets empty. `all`: what the process's own bounding set holds. A list: those names (`CAP_CHOWN`), intersected with it. */
  readonly capabilities: 'none' | 'all' | readonly Bytes[];
  readonly noNewPrivileges: boolean;
}

/** The process itself (or its only child, with `--pid`) becomes the payload. */
export interface Become {
  readonly kind: 'become';
  readonly payload: Payload;
  readonly workingDirectory: readonly WorkingDirectory[];
  readonly umask: number;
}

/** Tried in order until one can be entered; a failure is reported as said; past the last one the launch fails. Container paths. */
export interface WorkingDirectory {
  readonly path: AbsolutePath;
  readonly onFailure: OnFailure;
}

/**
 * How the program is started. `script` is taken when it is not null and `scriptWhen` says so (looked at after pivot, with final privileges), else
 * `exec`. At least one of the two is there, and `exec` whenever `scriptWhen` is not `always`.
 */
export interface Payload {
  readonly exec: Exec | null;
  readonly script: Script | null;
  readonly scriptWhen: ScriptWhen;
}

export type ScriptWhen =
  | { readonly kind: 'always' }
  /**
   * Some environment script of the image says something: a regular file `*.sh` directly in `directory`, or, when that directory does not exist, one of
   * `files`, has a line that is neither blank nor begins (after blanks) with `#`. Files are looked at up to 64 KiB; longer or unreadable counts as saying
   * something. A file whose whole content is one of `known` does not count (the planner does its work itself).
   */
  | {
      readonly kind: 'image_sets_environment';
      readonly directory: AbsolutePath;
      readonly files: readonly AbsolutePath[];
      readonly known: readonly Bytes[];
    };

/**
 * Replace the process by a program. `file` with a `/` is executed as it is; without one it is searched in the directories of `searchPath`
 * in order: a regular file that may be executed is taken; an empty entry is the working directory. Failures are status 255 with these messages:
 * nothing found `FATAL:   "x": executable file not found in $PATH`, found but not executable `FATAL:   "x": permission denied`,
 * path that does not exist `FATAL:   stat /x: no such file or directory`, other `FATAL:   exec /x: <reason>`.
 * ENOEXEC: run again as `sh FILE args…` by the first shell of `shells`.
 */
export interface Exec {
  readonly file: Bytes;
  /** All arguments, the zeroth included. */
  readonly argv: readonly Bytes[];
  /** The whole environment as `NAME=value`, without `PWD`, which the executor adds. */
  readonly env: readonly Bytes[];
  readonly searchPath: readonly Bytes[];
  readonly shells: readonly Shell[];
}

/** Run `text` with the first shell of `shells` that can be started: argv `sh -c TEXT sh ARGS…` (`args` follow the `sh`). */
export interface Script {
  readonly text: Bytes;
  readonly args: readonly Bytes[];
  /** As in Exec. */
  readonly env: readonly Bytes[];
  readonly shells: readonly Shell[];
}

export type Shell =
  /** A shell of the image, an absolute container path, for example /bin/sh. */
  | { readonly kind: 'image'; readonly path: AbsolutePath }
  /**
   * The static shell that ships beside the program, opened before pivot and executed by descriptor, so the image need not have one.
   * It is started with argv[0] `sh`.
   */
  | { readonly kind: 'own' };

/**
 * Commands one after the other in one set of namespaces (builds). The executor is process 1 and stays in the host's view, with the session
 * mounted; each command is a child that is killed with it. After each command everything it left running is killed and reaped before the next begins.
 * The first command that does not end with status 0 ends the sequence; commands with `always` still run. The result (index, status or
 * signal of the first failure) is what `start` reports; as exit status: that of the failed command, or 128+S.
 */
export interface Sequence {
  readonly kind: 'sequence';
  readonly commands: readonly Command[];
  readonly umask: number;
}

export interface Command {
  /** What it is, for the report and the log, for example `%post`. */
  readonly name: Bytes;
  /**
   * `container`: the child takes a mount namespace of its own, makes `LaunchPlan.root` its root (as in order 9) and applies `credentials`.
   * `host`: the child keeps the host's view (where the session lies over its mount point) and the namespace's ids, with `credentials` applied. For trusted tools
   * on absolute paths only.
   */
  readonly view: 'container' | 'host';
  readonly exec: Exec;
  readonly workingDirectory: AbsolutePath;
  /** `null`: stdin is /dev/null. `inherit`: that of the executor. stdout and stderr are always those of the executor. */
  readonly stdin: 'null' | 'inherit';
  readonly always: boolean;
}

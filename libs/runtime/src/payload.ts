import type { OnFailure } from './steps.js';
import type { AbsolutePath, Bytes } from './words.js';

export interface Identity {
  readonly uid: number;
  readonly gid: number;
  /** For setgroups; null: leave them as they are (the mapping forbids changing them). */
  readonly groups: readonly number[] | null;
}

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

/**
 * The launch goes on in the background (runtime contract §2.15): a keeper in a session of its own makes it, is the parent of process 1, and outlives
 * the program that was called, which ends with status 0 when the payload's program was started, and with 255 otherwise. Process 1 is a shim that starts the payload
 * in a session of its own, reaps, and passes signals on to the payload's group. It ends as a payload does that fails or is killed, and when it was asked to end by a
 * signal and nobody of that group is left; so it outlives a payload that ends with status 0. Standard input is /dev/null, output and errors go to the end of the logs. The record of the
 * instance is made by the keeper and removed when process 1 has ended. Needs a PID namespace and no inherited descriptors.
 */
export interface Instance {
  readonly kind: 'instance';
  readonly become: Become;
  readonly name: Bytes;
  readonly place: InstancePlace;
  /** For the record: the image's path, HOME inside, how the launch gets its power. */
  readonly image: AbsolutePath;
  readonly home: AbsolutePath;
  readonly mode: 'root' | 'user' | 'fakeroot';
  /** The payload is process 1 itself. */
  readonly boot: boolean;
  /** A file of the host that gets the number of process 1, as seen from the caller; null: none. */
  readonly pidFile: AbsolutePath | null;
}

/** Records are `<config>/instances/scs/<host>/<user>/<name>/<name>.json`, logs `<config>/instances/logs/<host>/<user>/<name>.{out,err}`. */
export interface InstancePlace {
  readonly config: AbsolutePath;
  /** Each a part of a path. */
  readonly host: Bytes;
  readonly user: Bytes;
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

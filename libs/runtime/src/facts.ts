import type { Configuration } from './configuration/configuration.js';
import type { Account, FileStatus, HostIdentity, OpenedImage } from './host.js';
import type { Environment } from './options/environmentFlags.js';
import type { OverlayRequest } from './options/overlaySpec.js';
import type { AbsolutePath, Bytes, GroupLine, IdRange } from './plan.js';

/** What a launch needs to know about the host: plain values, so that a plan depends on nothing else. */
/** A file of --env-file. */
export interface VariableFile {
  readonly path: AbsolutePath;
  readonly content: Bytes;
}

export interface Facts {
  readonly identity: HostIdentity;
  readonly account: Account | null;
  /** The caller's groups (own and supplementary) that have a name. */
  readonly groups: readonly GroupLine[];
  readonly environment: Environment;
  /** Null: it was deleted, or cannot be told. */
  readonly workingDirectory: AbsolutePath | null;
  readonly configuration: Configuration;
  readonly image: OpenedImage;
  /** In the order of the command line. */
  readonly overlays: readonly OpenedOverlay[];
  /** Images from which something is bound, by path. */
  readonly bindImages: ReadonlyMap<AbsolutePath, OpenedImage>;
  readonly servers: ServerPrograms;
  /** Of the paths that a plan may name (links followed); null: not there, or not to be reached. */
  readonly paths: ReadonlyMap<AbsolutePath, FileStatus | null>;
  readonly fuse: boolean;
  /** The terminal that is standard input; null: it is none, or nothing contained asks for it. */
  readonly terminal: AbsolutePath | null;
  /** Mount points that `mount hostfs` shows; empty where it is not set. */
  readonly hostFileSystems: readonly AbsolutePath[];
  readonly variableFiles: readonly VariableFile[];
  /** What capability.json grants to root; null where `root default capabilities` does not ask it. */
  readonly rootCapabilities: readonly Bytes[] | null;
  /** For --fakeroot; null when it was not asked. */
  readonly subordinate: SubordinateIds | null;
  /** binfmt_misc has an enabled interpreter for the image's architecture. Null: the image has the machine's own, or says none. */
  readonly interpreter: boolean | null;
}

export interface OpenedOverlay {
  readonly request: OverlayRequest;
  readonly image: OpenedImage;
  /** Opened for writing; null when it was not asked. Else why not. */
  readonly notWritable: Bytes | null;
}

/** Programs of the distribution that serve file systems; null: not installed, or not looked for. */
export interface ServerPrograms {
  /** fuse2fs */
  readonly ext3: AbsolutePath | null;
  /** fuse-overlayfs */
  readonly overlay: AbsolutePath | null;
}

/** Ranges of /etc/subuid and /etc/subgid for the caller, or the sentence why there is none. */
export type SubordinateIds =
  | {
      readonly kind: 'ranges';
      readonly uid: IdRangeStart;
      readonly gid: IdRangeStart;
      /** The setuid programs that write the maps for a user; null when one is missing (root needs none). */
      readonly programs: { readonly newuidmap: AbsolutePath; readonly newgidmap: AbsolutePath } | null;
    }
  | { readonly kind: 'none'; readonly reason: Bytes }
  | { readonly kind: 'refused'; readonly reason: Bytes };

export type IdRangeStart = Pick<IdRange, 'outside' | 'count'>;

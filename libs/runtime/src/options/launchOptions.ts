import type { AbsolutePath, Bytes, MessageSettings } from '../plan.js';
import type { BindRequest } from './bindSpec.js';
import type { LaunchVerb } from './flag.js';
import type { OverlayRequest } from './overlaySpec.js';
import type { Variable } from './variables.js';

/** What a command line (or a caller in Node) asks for, read and checked for form, with nothing of the host in it. */
export interface LaunchOptions {
  readonly verb: LaunchVerb;
  /** A path as it was written. */
  readonly image: Bytes;
  /** `exec`: the command with its arguments; the others: the arguments of the script. */
  readonly words: readonly Bytes[];
  readonly binds: readonly BindRequest[];
  readonly overlays: readonly OverlayRequest[];
  /** Null: the home of the account. The source may be relative. */
  readonly home: { readonly source: Bytes; readonly destination: AbsolutePath | null } | null;
  readonly mountHome: boolean;
  readonly scratch: readonly AbsolutePath[];
  /** Folder that keeps /tmp, /var/tmp, home and scratch directories of a contained launch; may be relative. Null: they are in memory. */
  readonly workdir: Bytes | null;
  /** Words of --no-mount. */
  readonly noMount: readonly Bytes[];
  readonly contain: boolean;
  readonly cleanEnvironment: boolean;
  readonly pid: boolean;
  readonly shim: boolean;
  readonly ipc: boolean;
  readonly uts: boolean;
  readonly hostname: Bytes | null;
  readonly userNamespace: boolean;
  readonly net: 'host' | 'none';
  readonly nameServers: readonly Bytes[];
  readonly fakeroot: boolean;
  /** `image`: the image itself, or its overlay partition; `tmpfs`: a layer in memory. */
  readonly writable: 'no' | 'image' | 'tmpfs';
  /** Mount points that the image lacks are made without an overlay. */
  readonly underlay: boolean;
  /** Capabilities of root: as configured, all, none. Without meaning for users. */
  readonly privileges: 'default' | 'keep' | 'none';
  /** Absolute, or null: where the caller is. */
  readonly workingDirectory: AbsolutePath | null;
  /** From --env, in order. */
  readonly variables: readonly Variable[];
  /** Of --env-file, in order; may be relative. */
  readonly variableFiles: readonly Bytes[];
  /** False: injected values are literal. */
  readonly evaluate: boolean;
  readonly ownUmask: boolean;
  readonly app: Bytes | null;
  readonly shell: Bytes | null;
  /** Whether unpacked images are kept and found again. */
  readonly useCache: boolean;
  readonly messages: MessageSettings;
  /** Another singularity.conf; may be relative. */
  readonly configuration: Bytes | null;
  /** In the background, with a name; null: in the place of the caller. */
  readonly instance: InstanceOptions | null;
}

export interface InstanceOptions {
  readonly name: Bytes;
  /** The image's /sbin/init is process 1. */
  readonly boot: boolean;
  /** Where the number of process 1 is written to; may be relative. */
  readonly pidFile: Bytes | null;
}

/** Options of a plain `exec` of an image: a starting point for callers in Node and for tests. */
export function plainOptions(image: Bytes, words: readonly Bytes[]): LaunchOptions {
  return {
    verb: 'exec',
    image,
    words,
    binds: [],
    overlays: [],
    home: null,
    mountHome: true,
    scratch: [],
    workdir: null,
    noMount: [],
    contain: false,
    cleanEnvironment: false,
    pid: false,
    shim: true,
    ipc: false,
    uts: false,
    hostname: null,
    userNamespace: false,
    net: 'host',
    nameServers: [],
    fakeroot: false,
    writable: 'no',
    underlay: false,
    privileges: 'default',
    workingDirectory: null,
    variables: [],
    variableFiles: [],
    evaluate: true,
    ownUmask: true,
    app: null,
    shell: null,
    useCache: true,
    messages: { level: 1, colour: false },
    configuration: null,
    instance: null,
  };
}

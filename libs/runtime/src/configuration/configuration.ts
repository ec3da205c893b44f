import type { Bytes } from '../plan.js';
import { defaultValues, parseConfiguration } from './parse.js';
import type { DirectiveValue } from './parse.js';

/** The rules of the site that a launch obeys, from singularity.conf or built in. */
export interface Configuration {
  readonly allowUserNamespace: boolean;
  readonly allowPidNamespace: boolean;
  readonly allowIpcNamespace: boolean;
  readonly allowUtsNamespace: boolean;
  readonly configPasswd: boolean;
  readonly configGroup: boolean;
  readonly configResolvConf: boolean;
  readonly mountProc: boolean;
  readonly mountSys: boolean;
  readonly mountDev: 'yes' | 'no' | 'minimal';
  readonly mountDevpts: boolean;
  readonly mountHome: boolean;
  readonly mountTmp: boolean;
  readonly mountHostfs: boolean;
  readonly mountSlave: boolean;
  /** `src[:dst]` as written. */
  readonly bindPaths: readonly Bytes[];
  readonly userBindControl: boolean;
  /** `try`: where the kernel refuses one, an underlay does instead. */
  readonly overlay: 'yes' | 'no' | 'try';
  /** Mount points that an image lacks are made without an overlay: where there can be none, or (`preferred`) wherever none is needed. */
  readonly underlay: 'yes' | 'no' | 'preferred';
  /** MiB. */
  readonly sessionSize: number;
  readonly sessionFileSystem: 'tmpfs' | 'ramfs';
  readonly allowSif: boolean;
  readonly allowSquashfs: boolean;
  readonly allowExtfs: boolean;
  readonly allowDirectory: boolean;
  readonly allowEncrypted: boolean;
  /** The kernel's squashfs driver over a loop device, where the caller may use it. */
  readonly kernelSquashfs: boolean;
  /** The kernel's ext3 driver, for images of root. */
  readonly kernelExtfs: boolean;
  readonly extraction: boolean;
  /** Seconds that a shared image server stays without a start; 0: servers are not shared. */
  readonly imageServerIdle: number;
  /** MiB of the disk for each user's unpacked images; 0: none are kept. */
  readonly unpackedCacheSize: number;
  readonly rootCapabilities: 'full' | 'file' | 'no';
  /** Folders with the helpers of users, separated by `:`, `$PATH` among them; null: a fixed list. */
  readonly searchPath: Bytes | null;
}

/** The configuration of an installation without a file. */
export function builtInConfiguration(): Configuration {
  return BUILT_IN;
}

/** @throws DomainError (status 255), see parseConfiguration */
export function readConfiguration(content: Bytes, name: string): Configuration {
  return fromValues(parseConfiguration(content, name));
}

function fromValues(values: ReadonlyMap<string, DirectiveValue>): Configuration {
  const on = (name: string): boolean => values.get(name) === true;
  const count = (name: string): number => {
    const value = values.get(name);
    return typeof value === 'number' ? value : 0;
  };
  const list = (name: string): readonly Bytes[] => {
    const value = values.get(name);
    return typeof value === 'object' ? value : [];
  };
  const text = (name: string): Bytes | null => {
    const value = values.get(name);
    return typeof value === 'string' && value !== '' ? value : null;
  };
  const dev = values.get('mount dev');
  const overlay = values.get('enable overlay');
  const underlay = values.get('enable underlay');
  const capabilities = values.get('root default capabilities');
  return {
    allowUserNamespace: on('allow user ns'),
    allowPidNamespace: on('allow pid ns'),
    allowIpcNamespace: on('allow ipc ns'),
    allowUtsNamespace: on('allow uts ns'),
    configPasswd: on('config passwd'),
    configGroup: on('config group'),
    configResolvConf: on('config resolv_conf'),
    mountProc: on('mount proc'),
    mountSys: on('mount sys'),
    mountDev: dev === 'no' || dev === 'minimal' ? dev : 'yes',
    mountDevpts: on('mount devpts'),
    mountHome: on('mount home'),
    mountTmp: on('mount tmp'),
    mountHostfs: on('mount hostfs'),
    mountSlave: on('mount slave'),
    bindPaths: list('bind path'),
    userBindControl: on('user bind control'),
    overlay: overlay === 'no' || overlay === 'try' ? overlay : 'yes',
    underlay: underlay === 'no' || underlay === 'preferred' ? underlay : 'yes',
    sessionSize: count('sessiondir max size'),
    sessionFileSystem: values.get('memory fs type') === 'ramfs' ? 'ramfs' : 'tmpfs',
    allowSif: on('allow container sif'),
    allowSquashfs: on('allow container squashfs'),
    allowExtfs: on('allow container extfs'),
    allowDirectory: on('allow container dir'),
    allowEncrypted: on('allow container encrypted'),
    kernelSquashfs: on('allow kernel squashfs') && count('max loop devices') > 0,
    kernelExtfs: on('allow kernel extfs') && count('max loop devices') > 0,
    extraction: on('tmp sandbox'),
    imageServerIdle: count('image server idle'),
    unpackedCacheSize: count('unpacked cache size'),
    rootCapabilities: capabilities === 'no' || capabilities === 'file' ? capabilities : 'full',
    searchPath: text('user search path') ?? text('binary path'),
  };
}

// Made when the module is evaluated, as all that is the same for each start: the program keeps an engine that has done that.
const BUILT_IN = fromValues(defaultValues());

import type { MountFlags, SessionPath } from '../plan.js';

/** Names in the session tmpfs. */
export const SESSION = {
  rootfs: 'rootfs',
  lower: 'lower',
  /** What the layers and the root file system are together, before anything is put over them. */
  merged: 'merged',
  upper: 'upper',
  work: 'work',
  root: 'root',
  images: 'images',
  layers: 'layers',
  data: 'data',
  dev: 'dev',
  home: 'home',
  tmp: 'tmp',
  varTmp: 'var_tmp',
  scratch: 'scratch',
  passwd: 'files/passwd',
  group: 'files/group',
  resolvConf: 'files/resolv.conf',
  hostname: 'files/hostname',
} as const satisfies Record<string, SessionPath>;

/** The flags of every mount that comes from the host or the user (runtime contract §2.4). */
export const PLAIN: MountFlags = { readOnly: false, nosuid: true, nodev: true, noexec: false };
export const READ_ONLY: MountFlags = { ...PLAIN, readOnly: true };
/** A mount whose own flags are enough, for example the host's /dev. */
export const NO_FLAGS: MountFlags = { readOnly: false, nosuid: false, nodev: false, noexec: false };

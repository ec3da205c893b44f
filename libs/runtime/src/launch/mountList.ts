import type {
  AbsolutePath,
  Bind,
  BindUnless,
  MountFileSystem,
  MountFlags,
  OnFailure,
  PreparedTarget,
  PrepareTargets,
  SessionPath,
  Source,
  Step,
} from '../plan.js';
import { isWithin } from '../paths.js';
import { NO_FLAGS, PLAIN } from './layout.js';

/** What a mount point is to be made as. */
export type MountPoint =
  'directory' | 'file' | { readonly type: 'like'; readonly at: SessionPath; readonly inside: AbsolutePath };

export interface BindWish {
  readonly source: Source;
  readonly to: AbsolutePath;
  /** What the mount point must be; null: it must be there already (below another mount). */
  readonly prepare: MountPoint | null;
  readonly recursive?: boolean;
  readonly flags?: MountFlags;
  readonly onFailure: OnFailure;
  readonly unless?: readonly BindUnless[];
  /** Whether a mount point below an earlier mount is made there; left out: when the bind has to succeed. */
  readonly makes?: boolean;
}

/** Here nothing is ever made for a mount: the devices and the kernel's file systems are the host's. */
const NEVER_MADE_IN: readonly AbsolutePath[] = ['/dev', '/proc', '/sys'];

/** Collects, in order, what is put into the session, what is mounted in the container, and the mount points that this needs. */
export class MountList {
  /** Steps before the container's root is put together. */
  readonly session: Step[] = [];
  /** Mounts in the container's root. */
  readonly mounts: (Bind | MountFileSystem)[] = [];
  readonly targets: PreparedTarget[] = [];
  /** Mount points that lie below an earlier mount, by the bind that needs them. */
  readonly #below = new Map<Step, PreparedTarget>();

  /**
   * The mounts in the root at `root`. A bind that makes its mount point and lies below an earlier mount gets it there, when its turn comes: in the session's own
   * directory, or in one of the host with the rights of the caller (runtime contract §1.5).
   */
  mountsIn(root: SessionPath): readonly Step[] {
    return this.mounts.flatMap((step): readonly Step[] => {
      const target = this.#below.get(step);
      if (target === undefined) return [step];
      const making: PrepareTargets = {
        kind: 'prepare_targets',
        rootfs: root,
        layer: root,
        targets: [target],
      };
      return [making, step];
    });
  }

  directory(path: SessionPath, mode: number): void {
    this.session.push({ kind: 'make_directory', path, mode });
  }

  file(path: SessionPath, content: string, mode: number): void {
    this.session.push({ kind: 'write_file', path, content, mode });
  }

  link(path: SessionPath, target: string): void {
    this.session.push({ kind: 'make_link', path, target });
  }

  bind(wish: BindWish): void {
    const below = wish.prepare === null ? null : this.#prepare(wish.to, wish.prepare);
    const step: Bind = {
      kind: 'bind',
      source: wish.source,
      target: { kind: 'container', path: wish.to },
      recursive: wish.recursive ?? true,
      flags: wish.flags ?? PLAIN,
      onFailure: wish.onFailure,
      unless: wish.unless ?? [],
    };
    this.mounts.push(step);
    const made = !NEVER_MADE_IN.some((place) => isWithin(wish.to, place));
    if (below !== null && made && (wish.makes ?? wish.onFailure === 'fatal')) this.#below.set(step, below);
  }

  /** A bind of the host with the usual flags. */
  host(
    path: AbsolutePath,
    to: AbsolutePath,
    prepare: MountPoint,
    onFailure: OnFailure,
    unless: readonly BindUnless[] = [],
  ): void {
    this.bind({ source: { kind: 'host', path }, to, prepare, onFailure, unless });
  }

  fileSystem(
    fileSystem: MountFileSystem['fileSystem'],
    to: AbsolutePath,
    prepare: boolean,
    more: Partial<Pick<MountFileSystem, 'flags' | 'mode' | 'sizeLimit' | 'ttyGroup' | 'onFailure'>> = {},
  ): void {
    if (prepare) this.#prepare(to, 'directory');
    this.mounts.push({
      kind: 'mount_file_system',
      fileSystem,
      target: { kind: 'container', path: to },
      flags: { ...NO_FLAGS, nosuid: true, nodev: true },
      mode: 0,
      sizeLimit: null,
      ttyGroup: null,
      onFailure: 'warning',
      ...more,
    });
  }

  /** What lies below an earlier mount is hidden by it: a mount point for it in the layer would not be seen, and is given back. */
  #prepare(path: AbsolutePath, as: MountPoint): PreparedTarget | null {
    if (path === '/') return null;
    const target: PreparedTarget = typeof as === 'string' ? { path, type: as } : { path, ...as };
    if (this.mounts.some((step) => isWithin(path, step.target.path))) return target;
    this.targets.push(target);
    return null;
  }
}

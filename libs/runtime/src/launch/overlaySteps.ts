import type { LaunchOptions } from '../options/launchOptions.js';
import type { MountOverlay, PreparedTarget, SessionPath, Step } from '../plan.js';
import type { Layers } from './layers.js';
import { SESSION } from './layout.js';
import type { Mode } from './mode.js';

/** The session path of what the container consists of before mount points are made: the root file system, or what it is together with the layers. */
export function contentRoot(layers: Layers): SessionPath {
  return hasLayers(layers) ? SESSION.merged : SESSION.rootfs;
}

export function hasLayers(layers: Layers): boolean {
  return layers.lower.length > 0 || layers.upper !== null;
}

/** What shows the layers and the root file system as one, so that account files and mount points are looked for in both. */
export function mergeSteps(layers: Layers, mode: Mode): readonly Step[] {
  if (!hasLayers(layers)) return layers.steps;
  return [
    ...layers.steps,
    directory(SESSION.merged),
    {
      kind: 'mount_overlay',
      lower: [...(layers.upper === null ? [] : [layers.upper.directory]), ...layers.lower, SESSION.rootfs],
      upper: null,
      userXattr: mode.userNamespace !== null,
      at: SESSION.merged,
      by: null,
      underlay: 'never',
    },
  ];
}

/** The overlay that becomes the container's root: mount points over layers over the root file system. */
export function overlaySteps(
  options: LaunchOptions,
  mode: Mode,
  layers: Layers,
  targets: readonly PreparedTarget[],
  underlay: MountOverlay['underlay'],
): readonly Step[] {
  const memory = options.writable === 'tmpfs' && layers.upper === null;
  const made = [SESSION.lower, SESSION.root, ...(memory ? [SESSION.upper, SESSION.work] : [])];
  const prepare = (rootfs: SessionPath, layer: SessionPath): Step => ({
    kind: 'prepare_targets',
    rootfs,
    layer,
    targets,
  });
  const upper = memory ? { directory: SESSION.upper, work: SESSION.work } : layers.upper;
  return [
    ...made.map(directory),
    prepare(contentRoot(layers), SESSION.lower),
    {
      kind: 'mount_overlay',
      lower: [SESSION.lower, ...layers.lower, SESSION.rootfs],
      upper,
      userXattr: (upper !== null || hasLayers(layers)) && mode.userNamespace !== null,
      at: SESSION.root,
      by: layers.by,
      underlay: upper === null && !hasLayers(layers) ? underlay : 'never',
    },
    // A directory that was made in a layer hides what lies below it: there, mount points are made in the layer itself.
    ...(layers.upper === null ? [] : [prepare(SESSION.root, SESSION.root)]),
  ];
}

/** The same without an overlay. */
export function underlaySteps(targets: readonly PreparedTarget[]): readonly Step[] {
  const { rootfs, lower, root } = SESSION;
  return [
    ...[lower, root].map(directory),
    { kind: 'prepare_targets', rootfs, layer: lower, targets },
    { kind: 'mount_underlay', layer: lower, rootfs, at: root },
  ];
}

function directory(path: SessionPath): Step {
  return { kind: 'make_directory', path, mode: 0o755 };
}

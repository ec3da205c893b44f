import type { Message } from '../answer.js';
import type { Facts, OpenedOverlay } from '../facts.js';
import type { OpenedImage } from '../host.js';
import type { LaunchOptions } from '../options/launchOptions.js';
import type { ImageBackend, ImageFile, MountOverlay, SessionPath, Step } from '../plan.js';
import { refusal } from '../refusal.js';
import { checkKind, usablePart } from './allowed.js';
import { ext3Backends, mountedByKernel, overlayProgram, squashfsBackends } from './backends.js';
import { PLAIN, READ_ONLY, SESSION } from './layout.js';
import type { Mode } from './mode.js';

/** What lies between the root file system and the mount points of a launch. */
export interface Layers {
  /** Mounts the layers in the session. */
  readonly steps: readonly Step[];
  /** Uppermost first. */
  readonly lower: readonly SessionPath[];
  /** The layer that is written; null: none. */
  readonly upper: MountOverlay['upper'];
  /** The program that has to lay it over the rest, because the kernel cannot. */
  readonly by: MountOverlay['by'];
}

/** One layer, before it is decided where it is mounted. */
interface Layer {
  readonly image: OpenedImage;
  readonly file: ImageFile;
  readonly writable: boolean;
}

/**
 * The overlay partitions of the image, then the overlays of the caller in their order, each over the ones before it; the writable one over all of them (runtime
 * contract §1.4, §2.4).
 * @throws DomainError (status 255) for what is not allowed, not there, or does not go together
 */
export function planLayers(options: LaunchOptions, facts: Facts, mode: Mode, messages: Message[]): Layers {
  const layers = [...ownLayers(options, facts), ...facts.overlays.flatMap((one) => givenLayers(one, facts))];
  if (layers.length > 0 && facts.configuration.overlay === 'no')
    throw refusal('an overlay is needed, which the configuration disables ("enable overlay = no")');
  if (options.overlays.length > 0 && options.writable === 'image')
    throw refusal(
      '--writable and --overlay exclude each other: the writable image would be below the overlay',
      'leave --writable out, and what is written goes to the overlay',
    );
  if (layers.length > 0 && options.underlay)
    throw refusal(
      '--underlay and an overlay exclude each other: an underlay has no layers of the caller or of the image',
      'leave --underlay out',
    );
  const writable = layers.filter((layer) => layer.writable);
  if (writable.length > 1)
    throw refusal(
      `only one overlay can be writable, got ${writable.map(({ file }) => file.path).join(' and ')}`,
      'add :ro to the others',
    );
  const top = writable[0];
  if (top !== undefined && options.writable === 'tmpfs')
    messages.push({
      level: 'WARNING',
      text: `Disabling --writable-tmpfs: what is written goes to the overlay ${top.file.path}`,
    });
  const below = layers.filter((layer) => !layer.writable);
  const mounted = [...below, ...writable].map((layer, index) =>
    mountLayer(layer, `${SESSION.images}/${index}`, `${SESSION.layers}/${index}`, {
      options,
      facts,
      mode,
      messages,
    }),
  );
  const lower = mounted.slice(0, below.length).map(({ path }) => path);
  const upper = mounted[below.length]?.path;
  return {
    steps: mounted.flatMap(({ steps }) => steps),
    lower: lower.toReversed(),
    upper: upper === undefined ? null : { directory: `${upper}/upper`, work: `${upper}/work` },
    by: byProgram(layers, facts, mode),
  };
}

/** The overlay partitions of the image itself: read, but for the last ext3 with --writable. */
function ownLayers(options: LaunchOptions, facts: Facts): readonly Layer[] {
  return partitionLayers(facts.image, options.writable === 'image');
}

function partitionLayers(image: OpenedImage, wanted: boolean): readonly Layer[] {
  const parts = image.others
    .filter(({ kind }) => kind === 'overlay')
    .map((partition) => usablePart(image, partition));
  const written = wanted ? parts.findLast(({ fileSystem }) => fileSystem === 'ext3') : undefined;
  return parts.map((part) => ({ image, file: part.file, writable: part === written }));
}

function givenLayers({ request, image, notWritable }: OpenedOverlay, facts: Facts): readonly Layer[] {
  checkKind(image, facts.configuration, 'overlay');
  const wanted = !request.readOnly;
  const layers = imageLayers(image, wanted);
  if (notWritable !== null && layers.some(({ writable }) => writable))
    throw refusal(
      `could not open overlay ${image.path} for writing: ${notWritable}`,
      `read it only, with :ro behind it: --overlay ${request.path}:ro`,
    );
  return layers;
}

function imageLayers(image: OpenedImage, wanted: boolean): readonly Layer[] {
  if (image.type === 'directory') {
    if (image.path === '/') throw refusal('/ as overlay is not authorized');
    const file: ImageFile = {
      handle: image.handle,
      path: image.path,
      fileSystem: 'directory',
      offset: 0,
      size: 0,
    };
    return [{ image, file, writable: wanted }];
  }
  if (image.type === 'sif') {
    const layers = partitionLayers(image, wanted);
    if (layers.length > 0) return layers;
    throw refusal(
      `no overlay partition found in ${image.path}${image.others.length === 0 && image.problem !== null ? ` (${image.problem})` : ''}`,
    );
  }
  if (image.partition === null || image.problem !== null)
    throw refusal(`could not use overlay ${image.path}: ${image.problem ?? 'it has no file system'}`);
  const { fileSystem, file } = usablePart(image, image.partition);
  return [{ image, file, writable: wanted && fileSystem === 'ext3' }];
}

interface Launch {
  readonly options: LaunchOptions;
  readonly facts: Facts;
  readonly mode: Mode;
  readonly messages: Message[];
}

/** Mounts one layer. A squashfs is a layer as it is; what was written elsewhere has it in `upper`. */
function mountLayer(
  { image, file, writable }: Layer,
  at: SessionPath,
  layer: SessionPath,
  launch: Launch,
): { readonly steps: readonly Step[]; readonly path: SessionPath } {
  const directory = (path: SessionPath): Step => ({ kind: 'make_directory', path, mode: 0o755 });
  const steps: Step[] = [
    directory(at),
    {
      kind: 'mount_image',
      image: file,
      at,
      flags: writable ? PLAIN : READ_ONLY,
      backends: layerBackends(image, file, launch),
    },
  ];
  if (writable) return { steps: [...steps, { kind: 'prepare_layer', image: at, at: null }], path: at };
  if (file.fileSystem === 'squashfs') return { steps, path: at };
  return {
    steps: [...steps, directory(layer), { kind: 'prepare_layer', image: at, at: layer }],
    path: layer,
  };
}

function layerBackends(
  image: OpenedImage,
  { fileSystem }: ImageFile,
  { options, facts, mode, messages }: Launch,
): readonly ImageBackend[] {
  if (fileSystem === 'directory') return [{ kind: 'bind' }];
  return fileSystem === 'ext3'
    ? ext3Backends(image, facts, mode)
    : squashfsBackends(facts, mode, messages, options);
}

/**
 * The kernel writes to no layer that is served by FUSE. What the program has written (it marks what was removed in its own way) it also reads, where it is installed.
 */
function byProgram(layers: readonly Layer[], facts: Facts, mode: Mode): MountOverlay['by'] {
  const served = layers.filter(
    ({ image, file }) => file.fileSystem === 'ext3' && !mountedByKernel(image, facts, mode),
  );
  const written = served.find(({ writable }) => writable);
  const program =
    written === undefined
      ? served.length > 0
        ? facts.servers.overlay
        : null
      : overlayProgram(written.image, facts);
  return program === null ? null : { program, allowOther: mode.severalIds };
}

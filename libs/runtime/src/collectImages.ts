import type { OpenedOverlay, ServerPrograms } from './facts.js';
import type { Host, OpenedImage } from './host.js';
import { userBinds } from './launch/binds.js';
import type { LaunchOptions } from './options/launchOptions.js';
import type { OverlayRequest } from './options/overlaySpec.js';
import { absolutePath } from './paths.js';
import type { AbsolutePath, Bytes } from './plan.js';
import { findProgram } from './programs.js';
import { refusal } from './refusal.js';

/**
 * Opens the overlays of the caller, once each. One that is to be written and cannot be is opened for reading, as a squashfs is always.
 * @throws DomainError (status 255) for one that cannot be opened at all
 */
export function openOverlays(
  host: Host,
  options: LaunchOptions,
  workingDirectory: AbsolutePath | null,
): readonly OpenedOverlay[] {
  return options.overlays.map((request) =>
    openOverlay(host, request, absolutePath(workingDirectory, request.path)),
  );
}

function openOverlay(host: Host, request: OverlayRequest, path: AbsolutePath): OpenedOverlay {
  let notWritable: Bytes | null = null;
  let image = host.openImage(path, !request.readOnly);
  if ('error' in image && !request.readOnly) {
    notWritable = image.message;
    image = host.openImage(path, false);
  }
  if ('error' in image) throw refusal(`could not open overlay ${path}: ${image.message}`);
  return { request, image, notWritable };
}

/**
 * Opens the images from which something is bound.
 * @throws DomainError (status 255) for one that cannot be opened
 */
export function openBindImages(
  host: Host,
  options: LaunchOptions,
  workingDirectory: AbsolutePath | null,
): ReadonlyMap<AbsolutePath, OpenedImage> {
  const images = new Map<AbsolutePath, OpenedImage>();
  for (const bind of userBinds(options, workingDirectory)) {
    if (bind.image === undefined || images.has(bind.source)) continue;
    const image = host.openImage(bind.source, false);
    if ('error' in image) throw refusal(`could not open image ${bind.source}: ${image.message}`);
    images.set(bind.source, image);
  }
  return images;
}

/** The programs that serve ext3 images, when one of these images has such a file system. */
export function serverPrograms(host: Host, images: readonly OpenedImage[]): ServerPrograms {
  const ext3 = images.some(({ partition, others }) =>
    [partition, ...others].some((one) => one?.fileSystem === 'ext3'),
  );
  if (!ext3) return { ext3: null, overlay: null };
  return { ext3: findProgram(host, 'fuse2fs'), overlay: findProgram(host, 'fuse-overlayfs') };
}

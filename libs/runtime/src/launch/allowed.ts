import type { Configuration } from '../configuration/configuration.js';
import type { ImagePartition, NumberedPartition, OpenedImage } from '../host.js';
import type { ImageFile } from '../plan.js';
import { notOffered, refusal } from '../refusal.js';

/** A file system in an image file that is not the container itself: an overlay, or a source of binds. */
export interface UsablePart {
  readonly fileSystem: 'squashfs' | 'ext3';
  readonly file: ImageFile;
}

/**
 * Refuses images of a kind that the site does not allow (`allow container …` holds for overlays and sources of binds, too).
 * @param use what the image is there for, for example `overlay`
 * @throws DomainError (status 255)
 */
export function checkKind(image: OpenedImage, configuration: Configuration, use: string): void {
  const { type } = image;
  if (type === 'unknown') throw refusal(`image format not recognized: ${image.path}`);
  const allowed = {
    directory: configuration.allowDirectory,
    sif: configuration.allowSif,
    squashfs: configuration.allowSquashfs,
    ext3: configuration.allowExtfs,
  };
  const names = {
    directory: 'a directory',
    sif: 'a SIF file',
    squashfs: 'a squashfs',
    ext3: 'an ext3 image',
  };
  if (!allowed[type])
    throw refusal(`configuration disallows users from using ${names[type]} as ${use}: ${image.path}`);
}

/** @throws DomainError (status 255) for a partition that is broken, or has a file system that is not offered */
export function usablePart(image: OpenedImage, part: ImagePartition | NumberedPartition): UsablePart {
  if ('problem' in part && part.problem !== null)
    throw refusal(`could not use partition ${part.id} of ${image.path}: ${part.problem}`);
  const { fileSystem, offset, size } = part;
  if (fileSystem !== 'squashfs' && fileSystem !== 'ext3')
    throw notOffered(`a partition with the file system ${fileSystem} (${image.path})`);
  return { fileSystem, file: { handle: image.handle, path: image.path, fileSystem, offset, size } };
}

import type { Surroundings } from '#libs/cli';
import { DomainError } from '#libs/core';
import type { SifImage } from '#libs/sif';
import { attributesFromTree, InspectMetadata, type Attributes } from './metadata.js';
import { ext3Reader, folderReader, squashfsReader } from './metadata-trees.js';
import { recogniseImage } from './recognise.js';

type Sif = typeof import('#libs/sif');

/** What an image says, and the name of the file system when its root is encrypted. */
export type ImageAttributes = Attributes & { readonly encrypted?: string };

/**
 * What an image says about itself. Images with an `inspect-metadata.json` are only read; others have their files read by
 * name. No program of the image runs.
 * @param path a SIF file, a squashfs or ext3 file or a folder
 */
export async function readAttributes(
  place: Pick<Surroundings, 'log' | 'signal'>,
  path: string,
): Promise<ImageAttributes> {
  const image = await recogniseImage(path);
  switch (image.kind) {
    case 'folder':
      return attributesFromTree(await folderReader(path));
    case 'squashfs':
      return attributesFromTree(squashfsReader(path, image.offset, place.signal));
    case 'ext3':
      return attributesFromTree(ext3Reader(path, image.offset, place.signal));
    case 'sif':
      return fromSif(path, place);
  }
}

async function fromSif(
  path: string,
  { log, signal }: Pick<Surroundings, 'log' | 'signal'>,
): Promise<ImageAttributes> {
  const sif = await import('#libs/sif');
  return sif.withSifFile(path, async (access) => {
    const image = await sif.readSif(access);
    const attributes = (await fromObject(image, sif)) ?? (await fromPartition(image, sif, path, signal, log));
    const encrypted = sif.rootEncryption(image);
    const kind = encrypted === undefined ? {} : { encrypted };
    if (attributes.deffile !== undefined) return { ...attributes, ...kind };
    const [definition] = sif.objectsOfType(image, sif.DataType.definition);
    if (definition === undefined) return { ...attributes, ...kind };
    const deffile = await sif.readObject(image, definition, sif.SIF_LIMITS.textBytes);
    return { ...attributes, ...kind, deffile: deffile.toString('utf8').replace(/\n+$/, '') };
  });
}

async function fromObject(image: SifImage, sif: Sif): Promise<Attributes | undefined> {
  const descriptor = sif.inspectMetadata(image);
  if (descriptor === undefined) return undefined;
  const text = (await sif.readObject(image, descriptor, sif.SIF_LIMITS.textBytes)).toString('utf8');
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new DomainError('bad_request', 'The metadata in the image is no JSON', {
      reason: 'bad_metadata',
      cause,
    });
  }
  const parsed = InspectMetadata.safeParse(value);
  if (parsed.success) return parsed.data.data.attributes;
  throw new DomainError('bad_request', 'The metadata in the image has another shape than it should', {
    reason: 'bad_metadata',
    cause: parsed.error,
  });
}

async function fromPartition(
  image: SifImage,
  sif: Sif,
  path: string,
  signal: AbortSignal,
  log: Surroundings['log'],
): Promise<Attributes> {
  const { ociAttributes } = await import('./metadata-oci.js');
  const oci = await ociAttributes(sif, image);
  if (oci !== undefined) return oci;
  const { fileSystem, descriptor } = sif.rootPartition(image);
  const offset = Number(descriptor.offset);
  if (fileSystem === sif.FileSystem.squashfs) return attributesFromTree(squashfsReader(path, offset, signal));
  if (fileSystem === sif.FileSystem.ext3) return attributesFromTree(ext3Reader(path, offset, signal));
  if (!sif.isEncrypted(fileSystem))
    log.warning(
      `The root file system cannot be read (${sif.fileSystemName(fileSystem)}): only what stands beside it is shown`,
    );
  return {};
}

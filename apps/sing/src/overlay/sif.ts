import { mkdtemp, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { Surroundings } from '#libs/cli';
import { DomainError } from '#libs/core';
import type { SifImage } from '#libs/sif';
import { usableTemporaryFolder } from '../folders.js';
import { goArchitecture } from '../session.js';
import { changeImage } from '../sif/change.js';
import { makeLayer, type LayerWish } from './layer.js';

type Sif = typeof import('#libs/sif');

/**
 * Adds an overlay partition to an image.
 * @throws DomainError (status 255) for a file that is no SIF, is signed or encrypted, or has a writable overlay (runtime contract §1.6)
 */
export async function addLayer(
  place: Pick<Surroundings, 'cwd' | 'env' | 'log' | 'signal'>,
  file: string,
  wish: LayerWish,
): Promise<void> {
  const sif = await import('#libs/sif');
  await sif.withSifFile(resolve(place.cwd, file), async (access) =>
    refuseUnfit(sif, await readImage(sif, access, file), file),
  );
  const folder = await mkdtemp(join(await usableTemporaryFolder(place), 'sing-overlay-'));
  try {
    const path = join(folder, 'layer.img');
    const layer = await sif.FileAccess.open(path, 'create', 0o600);
    try {
      await makeLayer(layer.descriptor, wish);
    } finally {
      await layer.close();
    }
    await changeImage(place, file, async (access, _, context) => {
      // Again, under the lock.
      const image = await sif.readSif(access);
      refuseUnfit(sif, image, file);
      const data = await sif.FileAccess.open(path, 'read');
      try {
        const partition = {
          fileSystem: sif.FileSystem.ext3,
          type: sif.PartitionType.overlay,
          architecture: architectureOf(sif, image),
        };
        const added = await sif.addObject(
          access,
          { type: sif.DataType.partition, data, extra: { kind: 'partition', partition } },
          context,
        );
        return { image: added.image, groups: [] };
      } finally {
        await data.close();
      }
    });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function readImage(sif: Sif, access: Parameters<Sif['readSif']>[0], file: string): Promise<SifImage> {
  try {
    return await sif.readSif(access);
  } catch (error) {
    if (!(error instanceof DomainError)) throw error;
    throw refused(
      `${file} exists already, and is no SIF file to which an overlay could be added`,
      error.message,
    );
  }
}

function refuseUnfit(sif: Sif, image: SifImage, file: string): void {
  const overlay = image.descriptors.find(
    (one) =>
      sif.isPartitionOfType(one, sif.PartitionType.overlay) &&
      sif.partitionOf(one).fileSystem === sif.FileSystem.ext3,
  );
  if (overlay !== undefined) throw refused(`${file} has a writable overlay already: object ${overlay.id}`);
  if (sif.objectsOfType(image, sif.DataType.signature).length > 0)
    throw refused(
      `${file} is signed, and nobody would have signed the overlay`,
      'Make an image of its own for the overlay, or a copy of this one without its signatures: sing sif del',
    );
  if (sif.rootEncryption(image) !== undefined)
    throw refused(`${file} is encrypted, and what is written to the overlay would not be`);
}

function architectureOf(sif: Sif, image: SifImage): string {
  const primary = image.descriptors.find((one) => sif.isPartitionOfType(one, sif.PartitionType.primary));
  return primary === undefined ? goArchitecture() : sif.partitionOf(primary).architecture;
}

function refused(message: string, remedy?: string): DomainError {
  return new DomainError('conflict', message, {
    reason: 'overlay_refused',
    exitCode: 255,
    ...(remedy === undefined ? {} : { remedy }),
  });
}

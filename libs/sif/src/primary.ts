import type { RandomAccess } from './access/access.js';
import { changeTime, finishChange, readForChange, slotOffset, type ChangeContext } from './change.js';
import { architectureCode, NO_ARCHITECTURE, PartitionType } from './codes.js';
import { encodeDescriptor, type Descriptor } from './descriptor.js';
import { isPartitionOfType, partitionOf } from './extra.js';
import { sifError } from './fault.js';
import { archField } from './header.js';
import type { SifImage } from './read.js';
import { objectById } from './select.js';

/**
 * Makes a system partition the primary one; the old primary becomes a system partition. Signatures on both break. A crash
 * between the two writes leaves an image without primary partition, which the same call repairs.
 * @throws DomainError `data object not a partition`, `data object not a system partition`
 */
export async function setPrimary(
  access: RandomAccess,
  id: number,
  context: ChangeContext,
): Promise<SifImage> {
  const image = await readForChange(access);
  const target = objectById(image, id);
  const { type, architecture } = partitionOf(target);
  if (type === PartitionType.primary) return image;
  if (type !== PartitionType.system)
    throw sifError('sif_not_a_system_partition', `data object not a system partition: object ${id}`);

  const time = changeTime(image, context);
  for (const old of image.descriptors.filter((one) => isPartitionOfType(one, PartitionType.primary)))
    await writeType(access, image, old, PartitionType.system, time);
  await access.sync();
  await writeType(access, image, target, PartitionType.primary, time);
  return finishChange(access, image, {
    modifiedAt: time,
    arch: archField(architectureCode(architecture) ?? NO_ARCHITECTURE),
  });
}

async function writeType(
  access: RandomAccess,
  image: SifImage,
  descriptor: Descriptor,
  type: number,
  time: bigint,
): Promise<void> {
  const extra = Buffer.from(descriptor.extra);
  extra.writeInt32LE(type, 4);
  const bytes = encodeDescriptor({ ...descriptor, extra, modifiedAt: time });
  await access.write(bytes, slotOffset(image, descriptor.slot));
}

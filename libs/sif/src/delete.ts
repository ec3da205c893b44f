import type { RandomAccess } from './access/access.js';
import {
  changeTime,
  dataEndOf,
  finishChange,
  readForChange,
  slotOffset,
  type ChangeContext,
} from './change.js';
import { NO_ARCHITECTURE, PartitionType } from './codes.js';
import type { Descriptor } from './descriptor.js';
import { isPartitionOfType } from './extra.js';
import { sifError } from './fault.js';
import { archField } from './header.js';
import { DESCRIPTOR_SIZE, USED_OFFSET } from './layout.js';
import { SIF_LIMITS } from './limits.js';
import type { SifImage } from './read.js';
import { objectById } from './select.js';

export interface DeleteOptions {
  /** Overwrite the object's bytes with zeros; otherwise they stay in the file, belonging to nothing. */
  readonly zero?: boolean;
  /** Give back the space behind the last object that is left. Gaps between objects stay. */
  readonly compact?: boolean;
}

/**
 * Deletes one object. Without options its bytes stay where they are, as other tools of the field do (SIF contract §1.11).
 * @throws DomainError when there is no such object or the image cannot be changed
 */
export async function deleteObject(
  access: RandomAccess,
  id: number,
  context: ChangeContext & DeleteOptions,
): Promise<SifImage> {
  const image = await readForChange(access);
  const descriptor = objectById(image, id);
  if (context.zero === true) refuseShared(image, descriptor);
  const slot = slotOffset(image, descriptor.slot);
  await access.write(Uint8Array.of(0), slot + USED_OFFSET);
  await access.sync();
  await access.write(Buffer.alloc(DESCRIPTOR_SIZE), slot);
  const rest = { ...image, descriptors: image.descriptors.filter((one) => one !== descriptor) };
  if (context.zero === true) await zero(access, Number(descriptor.offset), Number(descriptor.size));
  const end = dataEndOf(rest);
  const changed = await finishChange(access, image, {
    modifiedAt: changeTime(image, context),
    descriptorsFree: BigInt(image.slots - rest.descriptors.length),
    ...(context.compact === true ? { dataSize: BigInt(end) - image.header.dataOffset } : {}),
    ...(isPartitionOfType(descriptor, PartitionType.primary) ? { arch: archField(NO_ARCHITECTURE) } : {}),
  });
  if (context.compact !== true) return changed;
  await access.truncate(end);
  await access.sync();
  return changed;
}

/** Hostile images may share bytes between objects: overwriting them would destroy the other object. */
function refuseShared(image: SifImage, descriptor: Descriptor): void {
  const other = image.descriptors.find(
    (one) =>
      one !== descriptor &&
      one.offset < descriptor.offset + descriptor.size &&
      descriptor.offset < one.offset + one.size,
  );
  if (other !== undefined)
    throw sifError(
      'sif_unsound',
      `object ${descriptor.id} cannot be overwritten: object ${other.id} shares bytes with it`,
    );
}

async function zero(access: RandomAccess, offset: number, size: number): Promise<void> {
  const zeros = Buffer.alloc(Math.min(size, SIF_LIMITS.chunkBytes));
  for (let done = 0; done < size; done += zeros.length)
    await access.write(zeros.subarray(0, Math.min(zeros.length, size - done)), offset + done);
}

import type { RandomAccess } from './access/access.js';
import {
  changeTime,
  dataEndOf,
  finishChange,
  readForChange,
  slotOffset,
  type ChangeContext,
} from './change.js';
import { PartitionType } from './codes.js';
import { architectureOf, insufficientCapacity, isPrimary, primaryExists } from './create.js';
import { encodeDescriptor, type Descriptor } from './descriptor.js';
import { isPartitionOfType } from './extra.js';
import { archField } from './header.js';
import { prepareInput, type ObjectInput } from './input.js';
import { USED_OFFSET } from './layout.js';
import { endOf, writeData } from './place.js';
import type { SifImage } from './read.js';

/**
 * Adds one object behind the last one; nothing that is in the image is moved or rewritten, so the cost does not depend on
 * its size.
 * @returns the image as it is now and the new object in it
 * @throws DomainError when table or image do not allow it; the image is then as it was
 */
export async function addObject(
  access: RandomAccess,
  input: ObjectInput,
  context: ChangeContext,
): Promise<{ image: SifImage; descriptor: Descriptor }> {
  const prepared = prepareInput(input);
  const image = await readForChange(access);
  const slot = freeSlot(image);
  if (isPrimary(input) && image.descriptors.some((one) => isPartitionOfType(one, PartitionType.primary)))
    throw primaryExists();

  const time = changeTime(image, context);
  const place = { slot, dataEnd: dataEndOf(image), time };
  const before = access.size;
  let descriptor: Descriptor;
  try {
    descriptor = await writeData(access, prepared, place, context.signal);
    await access.write(encodeDescriptor({ ...descriptor, used: 0 }), slotOffset(image, slot));
    await access.sync();
  } catch (error) {
    // A full disk must not leave a longer file; what is cut off here belongs to no object.
    if (access.size > before) await access.truncate(before).catch(() => undefined);
    throw error;
  }
  await access.write(Uint8Array.of(1), slotOffset(image, slot) + USED_OFFSET);

  const code = isPrimary(input) ? architectureOf(input) : undefined;
  const changed = await finishChange(access, image, {
    modifiedAt: time,
    descriptorsFree: BigInt(image.slots - image.descriptors.length - 1),
    dataSize: BigInt(endOf(descriptor)) - image.header.dataOffset,
    ...(code === undefined ? {} : { arch: archField(code) }),
  });
  return { image: changed, descriptor };
}

/** The first free slot. @throws DomainError when the table is full */
function freeSlot(image: SifImage): number {
  const used = new Set(image.descriptors.map(({ slot }) => slot));
  for (let slot = 0; slot < image.slots; slot += 1) if (!used.has(slot)) return slot;
  throw insufficientCapacity();
}

import type { Clock } from '#libs/core';
import type { RandomAccess } from './access/access.js';
import { secondsOf } from './create.js';
import { sifError } from './fault.js';
import { encodeHeader, type SifHeader } from './header.js';
import { DESCRIPTOR_SIZE, ZERO_TIME } from './layout.js';
import { objectProblem } from './object.js';
import { endOf } from './place.js';
import { isDeterministic, readSif, type SifImage } from './read.js';

/*
 * In-place changes. One byte decides: an object exists when the used byte of its slot is not 0. Data and the rest of the
 * slot reach the disk before that byte is set, and the byte is cleared before anything of an object is touched, so that
 * after a crash at any moment the table is the old or the new one and every object in it is whole. The counters of the
 * header are written last; a crash may leave them one change behind: readers take the table, the next change repairs
 * them.
 */

export interface ChangeContext {
  readonly clock: Clock;
  /** Unix seconds instead of the clock's time. Images without times stay without unless this is given. */
  readonly time?: bigint;
  readonly signal?: AbortSignal;
}

/**
 * Reads an image that is about to be changed. What decides where new data goes is taken from the objects, so none of them
 * may lie outside the file (SIF contract §6: validate before modifying).
 * @throws DomainError when the image is not sound enough to be changed; nothing was written
 */
export async function readForChange(access: RandomAccess): Promise<SifImage> {
  const image = await readSif(access);
  for (const descriptor of image.descriptors) {
    const problem = objectProblem(image, descriptor);
    if (problem !== undefined)
      throw sifError(
        'sif_unsound',
        `The image cannot be changed: object ${descriptor.id} is not valid, ${problem}`,
      );
  }
  const { dataOffset } = image.header;
  // Images of the first library leave up to a page between table and data, and that page may lie behind the end.
  if (dataOffset < BigInt(image.tableEnd) || dataOffset > BigInt(access.size + DATA_OFFSET_SLACK))
    throw sifError(
      'sif_unsound',
      `The image cannot be changed: its header says that the data begins at ${dataOffset}`,
    );
  return image;
}

const DATA_OFFSET_SLACK = 4096;

/** End of the last object: where the next one goes. */
export function dataEndOf(image: SifImage): number {
  return Math.max(Number(image.header.dataOffset), ...image.descriptors.map(endOf));
}

/** The time that a change leaves in the image. */
export function changeTime(image: SifImage, context: ChangeContext): bigint {
  if (context.time !== undefined) return context.time;
  return isDeterministic(image.header) ? ZERO_TIME : secondsOf(context.clock);
}

/** Place of a slot in the file. */
export function slotOffset(image: SifImage, slot: number): number {
  return Number(image.header.descriptorsOffset) + slot * DESCRIPTOR_SIZE;
}

/** Writes the header with some fields changed, then waits for the disk. */
export async function finishChange(
  access: RandomAccess,
  image: SifImage,
  fields: Partial<SifHeader>,
): Promise<SifImage> {
  await access.write(encodeHeader({ ...image.header, ...fields }), 0);
  await access.sync();
  return readSif(access);
}

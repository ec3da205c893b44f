import { readExactly, SliceAccess } from './access/access.js';
import { HEADER_SIZE, DESCRIPTOR_SIZE, USED_OFFSET } from './layout.js';
import { SIF_LIMITS } from './limits.js';
import { chunksOf, objectProblem } from './object.js';
import type { SifImage } from './read.js';

/** A stretch of the file that belongs to nothing and is not all zero. */
export interface UnusedBytes {
  /** Offset of the first byte of the stretch, not of the first that is not zero. */
  readonly from: number;
  /** Offset behind the last byte. */
  readonly to: number;
  readonly where: 'header gap' | 'free descriptor' | 'between objects' | 'behind the objects';
}

export interface UnusedOptions {
  /** Bytes that are read at most. */
  readonly limit?: number;
  readonly signal?: AbortSignal;
}

/**
 * Finds data that no descriptor names: between header and table, in free descriptors, between objects and behind the last
 * one. No signature covers it and no reader uses it (SIF contract §2.12); writers leave zeros there, unless an object was
 * deleted. Memory does not depend on the size of the file.
 * @returns what was found, and how many bytes were not looked at because of the limit
 */
export async function unusedBytes(
  image: SifImage,
  { limit = SIF_LIMITS.unusedBytes, signal }: UnusedOptions = {},
): Promise<{ found: UnusedBytes[]; unread: number }> {
  const found: UnusedBytes[] = await freeDescriptors(image);
  let left = limit;
  let unread = 0;
  for (const stretch of stretches(image)) {
    const length = Math.min(stretch.to - stretch.from, left);
    left -= length;
    unread += stretch.to - stretch.from - length;
    if (await holdsData(image, stretch.from, length, signal)) found.push(stretch);
  }
  return { found: found.toSorted((a, b) => a.from - b.from), unread };
}

async function freeDescriptors(image: SifImage): Promise<UnusedBytes[]> {
  const start = image.tableEnd - image.slots * DESCRIPTOR_SIZE;
  const table = await readExactly(image.access, start, image.slots * DESCRIPTOR_SIZE);
  const found: UnusedBytes[] = [];
  for (let at = 0; at < table.length; at += DESCRIPTOR_SIZE) {
    const slot = table.subarray(at, at + DESCRIPTOR_SIZE);
    if (slot[USED_OFFSET] !== 0 || isZero(slot)) continue;
    found.push({ from: start + at, to: start + at + DESCRIPTOR_SIZE, where: 'free descriptor' });
  }
  return found;
}

/** Everything outside of header, table and objects, in the order of the file. */
function* stretches(image: SifImage): Generator<UnusedBytes> {
  const tableStart = image.tableEnd - image.slots * DESCRIPTOR_SIZE;
  if (tableStart > HEADER_SIZE) yield { from: HEADER_SIZE, to: tableStart, where: 'header gap' };
  const objects = image.descriptors
    .filter((one) => objectProblem(image, one) === undefined)
    .map(({ offset, size }) => ({ from: Number(offset), to: Number(offset + size) }))
    .sort((a, b) => a.from - b.from);
  let end = image.tableEnd;
  for (const { from, to } of objects) {
    if (from > end) yield { from: end, to: from, where: 'between objects' };
    end = Math.max(end, to);
  }
  if (image.access.size > end) yield { from: end, to: image.access.size, where: 'behind the objects' };
}

async function holdsData(image: SifImage, from: number, length: number, signal?: AbortSignal) {
  for await (const chunk of chunksOf(new SliceAccess(image.access, from, length), signal))
    if (!isZero(chunk)) return true;
  return false;
}

const ZEROS = Buffer.alloc(64 * 1024);

function isZero(bytes: Buffer): boolean {
  for (let at = 0; at < bytes.length; at += ZEROS.length) {
    const piece = bytes.subarray(at, at + ZEROS.length);
    if (!piece.equals(ZEROS.subarray(0, piece.length))) return false;
  }
  return true;
}

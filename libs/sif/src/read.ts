import { readExactly, type ReadAccess } from './access/access.js';
import { decodeDescriptor, type Descriptor } from './descriptor.js';
import { sifError } from './fault.js';
import { decodeHeader, type SifHeader } from './header.js';
import { DESCRIPTOR_SIZE, HEADER_SIZE, ZERO_TIME } from './layout.js';
import { SIF_LIMITS } from './limits.js';

/** An image as it was when it was read. Changes go through `addObject` and its like, which return a new one. */
export interface SifImage {
  readonly access: ReadAccess;
  readonly header: SifHeader;
  /** Capacity of the table. */
  readonly slots: number;
  /** Used slots in table order. Their numbers are unchecked: reach data through `openObject`. */
  readonly descriptors: readonly Descriptor[];
  /** First byte after the table: no object may begin before it. */
  readonly tableEnd: number;
}

/**
 * Reads header and table. Every number is checked before memory is taken or the file is read by it (SIF contract §6):
 * at most 128 bytes and then at most 4096 × 585 bytes are read, whatever the header claims.
 * @throws DomainError with the reason when the file is no image that can be read safely
 */
export async function readSif(access: ReadAccess): Promise<SifImage> {
  if (access.size < HEADER_SIZE)
    throw sifError(
      'sif_truncated',
      `reading global header: unexpected EOF: Expected at least ${HEADER_SIZE} bytes, got ${access.size}`,
    );
  const header = decodeHeader(await readExactly(access, 0, HEADER_SIZE));
  const { slots, offset } = tablePlace(header, access.size);
  const table = await readExactly(access, offset, slots * DESCRIPTOR_SIZE);
  const descriptors: Descriptor[] = [];
  for (let slot = 0; slot < slots; slot += 1) {
    const bytes = table.subarray(slot * DESCRIPTOR_SIZE, (slot + 1) * DESCRIPTOR_SIZE);
    const descriptor = decodeDescriptor(bytes, slot);
    if (descriptor !== undefined) descriptors.push(descriptor);
  }
  return { access, header, slots, descriptors, tableEnd: offset + table.length };
}

function tablePlace(header: SifHeader, fileSize: number): { slots: number; offset: number } {
  const { descriptorsTotal: total, descriptorsOffset: offset, descriptorsSize: size } = header;
  const invalid = (message: string) => sifError('sif_invalid_table', `reading descriptors: ${message}`);
  if (total < 0n || total > BigInt(SIF_LIMITS.slots))
    throw invalid(`Expected 0 to ${SIF_LIMITS.slots} descriptors, got ${total}`);
  if (offset < BigInt(HEADER_SIZE) || offset > BigInt(fileSize))
    throw invalid(`Expected a table between the header and the end of the file, got offset ${offset}`);
  const needed = total * BigInt(DESCRIPTOR_SIZE);
  if (size < needed) throw invalid(`Expected at least ${needed} bytes for ${total} descriptors, got ${size}`);
  if (offset + needed > BigInt(fileSize))
    throw invalid(`unexpected EOF: the table ends at ${offset + needed}, the file at ${fileSize}`);
  return { slots: Number(total), offset: Number(offset) };
}

/** Deterministic images carry no UUID and no times; whatever is added to them keeps it so (§1.10). */
export function isDeterministic(header: SifHeader): boolean {
  return (
    header.id.every((byte) => byte === 0) && header.createdAt === ZERO_TIME && header.modifiedAt === ZERO_TIME
  );
}

import { randomBytes } from 'node:crypto';
import type { Clock } from '#libs/core';
import type { RandomAccess } from './access/access.js';
import { architectureCode, NO_ARCHITECTURE, PartitionType } from './codes.js';
import { encodeDescriptor, type Descriptor } from './descriptor.js';
import { sifError } from './fault.js';
import { archField, encodeHeader, type SifHeader } from './header.js';
import { prepareInput, type ObjectInput, type PreparedInput } from './input.js';
import { DEFAULT_SLOTS, DESCRIPTOR_SIZE, DESCRIPTORS_OFFSET, LAUNCH_SIZE, ZERO_TIME } from './layout.js';
import { SIF_LIMITS } from './limits.js';
import { endOf, writeData } from './place.js';
import { readSif, type SifImage } from './read.js';

/** What a new image is made of. */
export interface CreateOptions {
  readonly objects: readonly ObjectInput[];
  readonly clock: Clock;
  /** At most 31 bytes; none by default. */
  readonly launchScript?: string;
  /** Capacity of the table, 48 by default. It never grows. */
  readonly slots?: number;
  /** No UUID and no times, so that equal content gives equal files (SIF contract §1.10). */
  readonly deterministic?: boolean;
  /** The image's UUID, 16 bytes; a random one by default. */
  readonly id?: Uint8Array;
  /** Unix seconds instead of the clock's time. */
  readonly time?: bigint;
  readonly signal?: AbortSignal;
}

/**
 * Writes a new image. Objects are streamed in; the header comes last, so that what a crash leaves is no SIF.
 * @param access empty and for this image alone
 * @throws DomainError when an object or option is not acceptable; nothing is written then
 */
export async function createSif(access: RandomAccess, options: CreateOptions): Promise<SifImage> {
  const slots = options.slots ?? DEFAULT_SLOTS;
  if (!Number.isSafeInteger(slots) || slots < 0 || slots > SIF_LIMITS.slots)
    throw sifError(
      'sif_invalid_input',
      `descriptor capacity not supported: Expected 0 to ${SIF_LIMITS.slots}, got ${slots}`,
    );
  if (options.objects.length > slots) throw insufficientCapacity();
  const launch = launchField(options.launchScript ?? '');
  const prepared = options.objects.map(prepareInput);
  const arch = archField(primaryArchitecture(prepared));
  const time = options.deterministic === true ? ZERO_TIME : (options.time ?? secondsOf(options.clock));

  const dataOffset = DESCRIPTORS_OFFSET + slots * DESCRIPTOR_SIZE;
  let dataEnd = dataOffset;
  const table = Buffer.alloc(slots * DESCRIPTOR_SIZE);
  const descriptors: Descriptor[] = [];
  for (const [slot, input] of prepared.entries()) {
    const descriptor = await writeData(access, input, { slot, dataEnd, time }, options.signal);
    encodeDescriptor(descriptor).copy(table, slot * DESCRIPTOR_SIZE);
    descriptors.push(descriptor);
    dataEnd = endOf(descriptor);
  }
  await access.write(table, DESCRIPTORS_OFFSET);
  const header: SifHeader = {
    launch,
    arch,
    id: options.deterministic === true ? Buffer.alloc(16) : Buffer.from(options.id ?? newImageId()),
    createdAt: time,
    modifiedAt: time,
    descriptorsFree: BigInt(slots - descriptors.length),
    descriptorsTotal: BigInt(slots),
    descriptorsOffset: BigInt(DESCRIPTORS_OFFSET),
    descriptorsSize: BigInt(table.length),
    dataOffset: BigInt(dataOffset),
    dataSize: BigInt(dataEnd - dataOffset),
  };
  await access.write(encodeHeader(header), 0);
  await access.sync();
  return readSif(access);
}

/** A random version-4 UUID as 16 bytes. */
export function newImageId(random: (size: number) => Uint8Array = randomBytes): Buffer {
  const bytes = Buffer.from(random(16));
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  return bytes;
}

/** The clock's time in Unix seconds. */
export function secondsOf(clock: Clock): bigint {
  return BigInt(Math.floor(clock.now().getTime() / 1000));
}

/** The table never grows: an image that is full stays full (SIF contract §1.12). */
export function insufficientCapacity(): Error {
  return sifError(
    'sif_full',
    'insufficient descriptor capacity to add data object(s) to image',
    'Delete an object of the image first, or build the image again.',
  );
}

function launchField(script: string): Buffer {
  const field = Buffer.alloc(LAUNCH_SIZE);
  const text = Buffer.from(script, 'utf8');
  if (text.length >= LAUNCH_SIZE)
    throw sifError(
      'sif_invalid_input',
      `launch script too large: Expected at most ${LAUNCH_SIZE - 1} bytes, got ${text.length}`,
    );
  text.copy(field);
  return field;
}

function primaryArchitecture(inputs: readonly PreparedInput[]): string {
  const primaries = inputs.filter((one) => isPrimary(one.input));
  if (primaries.length > 1) throw primaryExists();
  return architectureOf(primaries[0]?.input) ?? NO_ARCHITECTURE;
}

/** True for the root file system of an image. */
export function isPrimary(input: ObjectInput): boolean {
  return input.extra?.kind === 'partition' && input.extra.partition.type === PartitionType.primary;
}

/** The code of a partition's architecture, undefined for other objects. */
export function architectureOf(input: ObjectInput | undefined): string | undefined {
  return input?.extra?.kind === 'partition'
    ? architectureCode(input.extra.partition.architecture)
    : undefined;
}

/** An image has one root file system at most (SIF contract §1.9). */
export function primaryExists(): Error {
  return sifError('sif_primary_exists', 'image already contains a primary partition');
}

import { architectureName, DataType, PartitionType, SBOM_FORMATS, dataTypeName } from './codes.js';
import { linkOf, type Descriptor } from './descriptor.js';
import { isPartitionOfType, partitionOf, sbomOf } from './extra.js';
import { headerArchitecture, withoutPadding } from './header.js';
import { LAUNCH_SIZE, ZERO_TIME } from './layout.js';
import { objectProblem } from './object.js';
import type { SifImage } from './read.js';
import { escapeText } from './escape.js';

/**
 * What is odd about an image that can nevertheless be used (SIF contract §6, "warn"): one sentence each, none for an
 * image that our own and the stock tools write. Nothing of this is protected by signatures or needed for reading.
 */
export function imageWarnings(image: SifImage): string[] {
  return [
    ...headerWarnings(image),
    ...objectsWarnings(image),
    ...overlapWarnings(image),
    ...idWarnings(image),
    ...timeWarnings(image),
    ...paddingWarnings(image),
  ];
}

function headerWarnings(image: SifImage): string[] {
  const { header, descriptors } = image;
  const warnings: string[] = [];
  const free = BigInt(image.slots - descriptors.length);
  if (header.descriptorsFree !== free)
    warnings.push(`The header counts ${header.descriptorsFree} free descriptors, the table has ${free}`);
  const table = BigInt(image.slots) * 585n;
  if (header.descriptorsSize !== table)
    warnings.push(`The header gives the table ${header.descriptorsSize} bytes, it has ${table}`);
  if (
    header.dataOffset < BigInt(image.tableEnd) ||
    header.dataSize < 0n ||
    header.dataOffset + header.dataSize > BigInt(Math.max(image.access.size, image.tableEnd))
  )
    warnings.push('The data section of the header does not lie between the table and the end of the file');
  if (withoutPadding(header.launch).length >= LAUNCH_SIZE || header.launch.indexOf(0) === -1)
    warnings.push('The launch script does not end with NUL');
  const primary = descriptors.find((one) => isPartitionOfType(one, PartitionType.primary));
  const expectedArch = primary === undefined ? 'unknown' : partitionOf(primary).architecture;
  const code = header.arch.toString('latin1', 0, 2);
  if (headerArchitecture(header) !== expectedArch || (code !== '00' && architectureName(code) === 'unknown'))
    warnings.push(
      `The header says architecture ${headerArchitecture(header)}, the primary partition ${expectedArch}`,
    );
  return warnings;
}

function objectsWarnings(image: SifImage): string[] {
  const ids = new Set(image.descriptors.map(({ id }) => id));
  return image.descriptors.flatMap((descriptor) => objectWarnings(image, descriptor, ids));
}

function objectWarnings(image: SifImage, descriptor: Descriptor, ids: ReadonlySet<number>): string[] {
  const { id, type, rawGroup, rawLink } = descriptor;
  const warnings: string[] = [];
  const say = (text: string) => warnings.push(`Object ${id}: ${text}`);
  const problem = objectProblem(image, descriptor);
  if (problem !== undefined) say(`cannot be used: ${problem}`);
  else if (dataTypeName(type) === 'Unknown') say(`its data type ${type} is unknown`);
  if (descriptor.used !== 1) say(`its used byte is ${descriptor.used}`);
  if (rawGroup >>> 28 !== 0xf) say('its group number lacks the usual mask');
  if (rawLink !== 0 && ![0, 0xf].includes(rawLink >>> 28)) say('its link has a part of the group mask only');
  const link = linkOf(descriptor);
  if (type === DataType.signature && link === undefined)
    say('it is a signature of nothing: it is linked neither to a group nor to an object');
  if (link === undefined && rawLink !== 0) say('its link names no group');
  if (link?.kind === 'object') {
    if (link.id === id) say('it is linked to itself');
    else if (!ids.has(link.id)) say(`it is linked to object ${link.id}, which does not exist`);
  }
  const name = withoutPadding(descriptor.name).toString('utf8');
  if (escapeText(name) !== name) say('its name holds control characters or is no UTF-8');
  if (type === DataType.partition && partitionOf(descriptor).architecture === 'unknown')
    say('the architecture of the partition is unknown');
  if (type === DataType.sbom && SBOM_FORMATS[sbomOf(descriptor) - 1] === undefined)
    say('the format of the bill of materials is unknown');
  return warnings;
}

function overlapWarnings(image: SifImage): string[] {
  const warnings: string[] = [];
  let last: Descriptor | undefined;
  for (const descriptor of usableByOffset(image)) {
    if (descriptor.size === 0n) continue;
    if (last !== undefined && descriptor.offset < last.offset + last.size)
      warnings.push(`Objects ${last.id} and ${descriptor.id} overlap`);
    if (last === undefined || descriptor.offset + descriptor.size > last.offset + last.size)
      last = descriptor;
  }
  return warnings;
}

function idWarnings(image: SifImage): string[] {
  const counts = new Map<number, number>();
  for (const { id } of image.descriptors) counts.set(id, (counts.get(id) ?? 0) + 1);
  // "ID = slot index + 1" for every writer (SIF contract §1.4).
  const misplaced = image.descriptors.filter(({ id, slot }) => id !== slot + 1);
  return [
    ...[...counts].flatMap(([id, count]) => [
      ...(id === 0 ? ['An object has the id 0 and cannot be reached'] : []),
      ...(count > 1 ? [`${count} objects have the id ${id}`] : []),
    ]),
    ...misplaced.map(
      ({ id, slot }) =>
        `Object ${id} is in descriptor ${slot + 1} of the table, where writers put object ${slot + 1}`,
    ),
  ];
}

/** Every change of an image sets the header's time of modification, so nothing in it is younger (SIF contract §1.1). */
function timeWarnings({ header, descriptors }: SifImage): string[] {
  // Images without times stay without whatever is added to them.
  if (header.createdAt === ZERO_TIME && header.modifiedAt === ZERO_TIME) return [];
  const younger = descriptors.filter(({ createdAt, modifiedAt }) =>
    [createdAt, modifiedAt].some((time) => time > header.modifiedAt),
  );
  return [
    ...(header.modifiedAt < header.createdAt
      ? ['The header says that the image was modified before it was created']
      : []),
    ...younger.map(({ id }) => `Object ${id} is younger than the time of modification in the header`),
    ...descriptors
      .filter(({ createdAt, modifiedAt }) => modifiedAt < createdAt)
      .map(({ id }) => `Object ${id}: it was modified before it was created`),
  ];
}

/**
 * "size with padding = offset − previous data end + size" (SIF contract §1.8): in front of an object there are as many
 * bytes that belong to nothing as the difference says.
 */
function paddingWarnings(image: SifImage): string[] {
  const warnings: string[] = [];
  let end = BigInt(image.tableEnd);
  // Of several objects at one place none stands before the other.
  let endBefore = end;
  let place = 0n;
  for (const one of usableByOffset(image)) {
    if (one.offset !== place) endBefore = end;
    place = one.offset;
    const start = one.offset + one.size - one.sizeWithPadding;
    if (start > one.offset || start < endBefore)
      warnings.push(`Object ${one.id}: its size with padding ${one.sizeWithPadding} does not fit its place`);
    if (one.offset + one.size > end) end = one.offset + one.size;
  }
  return warnings;
}

function usableByOffset(image: SifImage): Descriptor[] {
  return image.descriptors
    .filter((one) => objectProblem(image, one) === undefined)
    .sort((a, b) => Number(a.offset - b.offset));
}

import { architectureName, DataType, PartitionType, SBOM_FORMATS, dataTypeName } from './codes.js';
import { linkOf, type Descriptor } from './descriptor.js';
import { isPartitionOfType, partitionOf, sbomOf } from './extra.js';
import { headerArchitecture, withoutPadding } from './header.js';
import { LAUNCH_SIZE } from './layout.js';
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
    ...image.descriptors.flatMap((descriptor) => objectWarnings(image, descriptor)),
    ...overlapWarnings(image),
    ...idWarnings(image),
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

function objectWarnings(image: SifImage, descriptor: Descriptor): string[] {
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
  if (link === undefined && rawLink !== 0) say('its link names no group');
  if (link?.kind === 'object') {
    if (link.id === id) say('it is linked to itself');
    else if (!image.descriptors.some((other) => other.id === link.id))
      say(`it is linked to object ${link.id}, which does not exist`);
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
  const usable = image.descriptors.filter((one) => one.size > 0n && objectProblem(image, one) === undefined);
  const sorted = usable.toSorted((a, b) => Number(a.offset - b.offset));
  const warnings: string[] = [];
  let last: Descriptor | undefined;
  for (const descriptor of sorted) {
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
  return [...counts].flatMap(([id, count]) => [
    ...(id === 0 ? ['An object has the id 0 and cannot be reached'] : []),
    ...(id > image.slots ? [`Object ${id} has an id beyond the table`] : []),
    ...(count > 1 ? [`${count} objects have the id ${id}`] : []),
  ]);
}

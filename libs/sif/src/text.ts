import {
  dataTypeName,
  DataType,
  fileSystemName,
  hashTypeName,
  messageFormatName,
  messageTypeName,
  partitionTypeName,
  sbomFormatName,
} from './codes.js';
import { groupOf, linkOf, nameOf, type Descriptor } from './descriptor.js';
import { escapeText } from './escape.js';
import { messageOf, ociDigestOf, partitionOf, sbomOf, signatureOf } from './extra.js';
import { headerArchitecture, imageId, withoutPadding } from './header.js';
import { ZERO_TIME } from './layout.js';
import type { SifImage } from './read.js';

/*
 * What `sing sif list|header|info` print, in the form of siftool (SIF contract §1.13). Texts from the image are escaped,
 * which siftool does not do; for images without control characters the output is the same, byte for byte.
 */

const RULE = '-'.repeat(78);

/** The table of `sif list`. */
export function listText(image: SifImage): string {
  const head = row('ID', '|GROUP', '|LINK', '|SIF POSITION (start-end)', '|TYPE');
  return [RULE, head, RULE, ...image.descriptors.map(listRow), ''].join('\n');
}

function listRow(descriptor: Descriptor): string {
  const group = groupOf(descriptor);
  const link = linkOf(descriptor);
  return row(
    String(descriptor.id),
    `|${group === 0 ? 'NONE' : group}`,
    link?.kind === 'group' ? `|${String(link.id).padEnd(3)} (G)` : `|${link?.id ?? 'NONE'}`,
    `|${descriptor.offset}-${BigInt.asIntN(64, descriptor.offset + descriptor.size)} `,
    `|${typeText(descriptor)}`,
  );
}

const row = (id: string, group: string, link: string, position: string, type: string): string =>
  `${id.padEnd(4)} ${group.padEnd(8)} ${link.padEnd(8)} ${position.padEnd(26)} ${type}`;

/** Type of an object with its details, as in listings: `FS (Squashfs/*System/amd64)`. */
export function typeText(descriptor: Descriptor): string {
  const name = dataTypeName(descriptor.type);
  switch (descriptor.type) {
    case DataType.partition: {
      const { fileSystem, type, architecture } = partitionOf(descriptor);
      return `${name} (${fileSystemName(fileSystem)}/${partitionTypeName(type)}/${architecture})`;
    }
    case DataType.signature:
      return `${name} (${hashTypeName(descriptor.extra.readInt32LE(0)) ?? 'unsupported hash'})`;
    case DataType.message: {
      const { format, message } = messageOf(descriptor);
      return `${name} (${messageFormatName(format)}/${messageTypeName(message)})`;
    }
    case DataType.sbom:
      return `${name} (${sbomFormatName(sbomOf(descriptor))})`;
    default:
      return name;
  }
}

/** The lines of `sif header`. */
export function headerText(image: SifImage): string {
  const { header } = image;
  const launch = withoutPadding(header.launch).toString('utf8').replace(/\n$/, '');
  const architecture = headerArchitecture(header);
  return aligned('', 1, [
    ...(launch === '' ? [] : [['Launch Script:', escapeText(launch)] as const]),
    ['Version:', '01'],
    ...(architecture === 'unknown' ? [] : [['Primary Architecture:', architecture] as const]),
    ...(header.id.every((byte) => byte === 0) ? [] : [['ID:', imageId(header)] as const]),
    ...timeLine('Created At:', header.createdAt),
    ...timeLine('Modified At:', header.modifiedAt),
    ['Descriptors Free:', String(header.descriptorsFree)],
    ['Descriptors Total:', String(header.descriptorsTotal)],
    ['Descriptors Offset:', String(header.descriptorsOffset)],
    ['Descriptors Size:', sizeText(header.descriptorsSize)],
    ['Data Offset:', String(header.dataOffset)],
    ['Data Size:', sizeText(header.dataSize)],
  ]);
}

/** The lines of `sif info ID`. @throws DomainError when the extra field cannot be read */
export function infoText(descriptor: Descriptor): string {
  const group = groupOf(descriptor);
  const link = linkOf(descriptor);
  const name = nameOf(descriptor);
  return aligned('  ', 2, [
    ['Data Type:', dataTypeName(descriptor.type)],
    ['ID:', String(descriptor.id)],
    ['Group ID:', group === 0 ? 'NONE' : String(group)],
    ['Linked ID:', link === undefined ? 'NONE' : `${link.id}${link.kind === 'group' ? ' (G)' : ''}`],
    ['Offset:', String(descriptor.offset)],
    ['Size:', String(descriptor.size)],
    ...timeLine('Created At:', descriptor.createdAt),
    ...timeLine('Modified At:', descriptor.modifiedAt),
    ...(name === '' ? [] : [['Name:', escapeText(name)] as const]),
    ...extraLines(descriptor),
  ]);
}

type Line = readonly [key: string, value: string];

function extraLines(descriptor: Descriptor): Line[] {
  switch (descriptor.type) {
    case DataType.partition: {
      const { fileSystem, type, architecture } = partitionOf(descriptor);
      return [
        ['Filesystem Type:', fileSystemName(fileSystem)],
        ['Partition Type:', partitionTypeName(type)],
        ['Architecture:', architecture],
      ];
    }
    case DataType.signature: {
      const { hashType, entity } = signatureOf(descriptor);
      const hash: Line = ['Hash Type:', hashTypeName(hashType) ?? 'Unknown'];
      return entity.length === 0 ? [hash] : [hash, ['Entity:', entity.toString('hex').toUpperCase()]];
    }
    case DataType.message: {
      const { format, message } = messageOf(descriptor);
      return [
        ['Format Type:', messageFormatName(format)],
        ['Message Type:', messageTypeName(message)],
      ];
    }
    case DataType.sbom:
      return [['Format:', sbomFormatName(sbomOf(descriptor))]];
    case DataType.ociRootIndex:
    case DataType.ociBlob:
      return [['Digest:', ociDigestOf(descriptor)]];
    default:
      return [];
  }
}

function aligned(indent: string, gap: number, lines: readonly Line[]): string {
  const width = Math.max(...lines.map(([key]) => key.length)) + gap;
  return lines.map(([key, value]) => `${indent}${key.padEnd(width)}${value}\n`).join('');
}

function timeLine(key: string, seconds: bigint): Line[] {
  return seconds === ZERO_TIME ? [] : [[key, timeText(seconds)]];
}

/** `YYYY-MM-DD hh:mm:ss +0000 UTC`; times no calendar knows are printed as seconds. */
function timeText(seconds: bigint): string {
  const date = new Date(Number(seconds) * 1000);
  const year = date.getUTCFullYear();
  if (Number.isNaN(year) || year < 0 || year > 9999) return `${seconds} seconds since 1970`;
  return `${date.toISOString().slice(0, 19).replace('T', ' ')} +0000 UTC`;
}

const UNITS = ['KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB'];

/** Below 1024 in bytes, else in the largest fitting unit, rounded to whole numbers. */
function sizeText(size: bigint): string {
  if (size > -1024n && size < 1024n) return `${size} B`;
  let unit = 0;
  let divisor = 1024;
  for (let rest = size / 1024n; rest <= -1024n || rest >= 1024n; rest /= 1024n) {
    divisor *= 1024;
    unit += 1;
  }
  const value = Math.abs(Number(size)) / divisor;
  return `${size < 0n ? '-' : ''}${Math.round(value)} ${UNITS[unit] ?? ''}`;
}

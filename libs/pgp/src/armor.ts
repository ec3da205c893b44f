import { pgpError } from './fault.js';

/** What an armor block says it holds. */
export type ArmorType = 'PUBLIC KEY BLOCK' | 'PRIVATE KEY BLOCK' | 'SIGNATURE';

export interface ArmorBlock {
  /** The words between `BEGIN PGP` and the dashes. */
  readonly type: string;
  readonly bytes: Buffer;
}

const BEGIN = /^-----BEGIN PGP ([A-Z ,/0-9]{1,40})-----$/;
const HEADER = /^[A-Za-z][A-Za-z0-9-]*: ?/;
const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/;
const CHECKSUM = /^=[A-Za-z0-9+/]{4}$/;

/**
 * Bytes in ASCII armor: 64 columns, LF, no headers. Keys need the checksum: gpg 2.4 takes the END line for data when the
 * base64 is not padded and no checksum follows. The signatures of SIF images have none (SIF contract §2.5).
 */
export function encodeArmor(type: ArmorType, bytes: Uint8Array, options = { checksum: true }): string {
  const lines =
    Buffer.from(bytes)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  const checksum = options.checksum ? [`=${checksumOf(bytes)}`] : [];
  return [`-----BEGIN PGP ${type}-----`, '', ...lines, ...checksum, `-----END PGP ${type}-----`].join('\n');
}

/** What a byte does to the checksum, for each of its values: the eight steps of RFC 9580 §6.1.1 at once. */
const CRC24 = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 16;
  for (let bit = 0; bit < 8; bit += 1) crc = (crc << 1) ^ ((crc & 0x800000) === 0 ? 0 : 0x1864cfb);
  return crc & 0xffffff;
});

/** The checksum of armored data as a number of 24 bits (RFC 9580 §6.1.1). */
function crc24(bytes: Uint8Array): number {
  let crc = 0xb704ce;
  for (const byte of bytes) crc = ((crc << 8) & 0xffffff) ^ (CRC24[(crc >> 16) ^ byte] ?? 0);
  return crc;
}

function checksumOf(bytes: Uint8Array): string {
  const crc = crc24(bytes);
  return Buffer.of(crc >> 16, (crc >> 8) & 0xff, crc & 0xff).toString('base64');
}

/**
 * All armor blocks of a text; whatever stands between them is ignored. CRLF, trailing blanks, headers and a missing or
 * wrong checksum are accepted: signatures decide about the content.
 * @throws DomainError `pgp_armor` when a block is not closed or is no base64
 */
export function decodeArmors(text: string): ArmorBlock[] {
  const blocks: ArmorBlock[] = [];
  const lines = text.split('\n');
  for (let index = 0; index < lines.length; index += 1) {
    const type = BEGIN.exec(trimEnd(lines[index] ?? ''))?.[1];
    if (type === undefined) continue;
    const end = endOf(lines, index + 1, type);
    blocks.push({ type, bytes: decodeLines(lines.slice(index + 1, end)) });
    index = end;
  }
  return blocks;
}

function endOf(lines: readonly string[], from: number, type: string): number {
  for (let index = from; index < lines.length; index += 1) {
    const line = trimEnd(lines[index] ?? '');
    if (line === `-----END PGP ${type}-----`) return index;
    if (BEGIN.test(line)) break;
  }
  throw pgpError('pgp_armor', `Expected a line "-----END PGP ${type}-----" after the beginning of the block`);
}

/** The bytes between the lines BEGIN and END: headers, an empty line, base64, perhaps a checksum. */
export function decodeLines(lines: readonly string[]): Buffer {
  const trimmed = lines.map(trimEnd);
  let start = 0;
  while (HEADER.test(trimmed[start] ?? '')) start += 1;
  if (trimmed[start] === '') start += 1;
  let end = trimmed.length;
  while (end > start && trimmed[end - 1] === '') end -= 1;
  if (end > start && CHECKSUM.test(trimmed[end - 1] ?? '')) end -= 1;
  const base64 = trimmed.slice(start, end).join('');
  if (!BASE64.test(base64) || base64.length % 4 !== 0)
    throw pgpError('pgp_armor', 'Expected base64 in the armor block');
  return Buffer.from(base64, 'base64');
}

/** A line without trailing blanks, tabs and carriage return; without a regular expression, whose time could be squared. */
export function trimEnd(line: string): string {
  let end = line.length;
  while (end > 0 && ' \t\r'.includes(line.charAt(end - 1))) end -= 1;
  return line.slice(0, end);
}

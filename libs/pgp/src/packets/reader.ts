import { badKey, secretKey } from './fault.js';
import { PACKET_LIMITS } from './limits.js';
import { DATA_TAGS, Tag } from './tags.js';

/** A packet as it came: type and body, byte for byte. */
export interface Packet {
  readonly tag: number;
  readonly body: Uint8Array;
}

/**
 * Cuts binary OpenPGP data into packets (RFC 9580 §4.2) without believing any declared length: nothing is allocated, bodies are views.
 * @throws DomainError `unprocessable` for truncated data, partial or indeterminate lengths, secret keys and messages
 */
export function readPackets(bytes: Uint8Array): Packet[] {
  if (bytes.length > PACKET_LIMITS.uploadBytes)
    throw badKey(`Expected at most ${PACKET_LIMITS.uploadBytes} bytes of OpenPGP data, got ${bytes.length}`);
  const packets: Packet[] = [];
  for (let at = 0; at < bytes.length;) {
    if (packets.length >= PACKET_LIMITS.packets)
      throw badKey(`Expected at most ${PACKET_LIMITS.packets} packets`);
    const { tag, start, end } = readHeader(bytes, at);
    if (end > bytes.length) throw badKey(`The OpenPGP data ends in the middle of a packet of type ${tag}`);
    refuse(tag);
    packets.push({ tag, body: bytes.subarray(start, end) });
    at = end;
  }
  return packets;
}

function refuse(tag: number): void {
  if (tag === Tag.secretKey || tag === Tag.secretSubkey) throw secretKey();
  if (DATA_TAGS.has(tag)) throw badKey('Expected a public key, got an OpenPGP message');
}

/** Where the packet at `at` has its body; `end` may lie behind the bytes. @throws DomainError `unprocessable` */
export function readHeader(bytes: Uint8Array, at: number): { tag: number; start: number; end: number } {
  const first = bytes[at] ?? 0;
  if ((first & 0x80) === 0) throw badKey('Expected an OpenPGP packet, got something else');
  return (first & 0x40) === 0 ? oldHeader(bytes, at, first) : newHeader(bytes, at, first & 0x3f);
}

function oldHeader(
  bytes: Uint8Array,
  at: number,
  first: number,
): { tag: number; start: number; end: number } {
  const tag = (first >> 2) & 0x0f;
  const lengthBytes = [1, 2, 4][first & 3];
  if (lengthBytes === undefined) throw badKey('Packets of indeterminate length are not accepted');
  const start = at + 1 + lengthBytes;
  return { tag, start, end: start + bigEndian(bytes, at + 1, lengthBytes) };
}

function newHeader(bytes: Uint8Array, at: number, tag: number): { tag: number; start: number; end: number } {
  const first = bytes[at + 1];
  if (first === undefined) throw badKey('The OpenPGP data ends in a packet header');
  if (first < 192) return { tag, start: at + 2, end: at + 2 + first };
  if (first < 224)
    return { tag, start: at + 3, end: at + 3 + ((first - 192) << 8) + bigEndian(bytes, at + 2, 1) + 192 };
  if (first === 255) return { tag, start: at + 6, end: at + 6 + bigEndian(bytes, at + 2, 4) };
  throw badKey('Packets of partial length are not accepted');
}

function bigEndian(bytes: Uint8Array, at: number, count: number): number {
  let value = 0;
  for (let index = at; index < at + count; index += 1) {
    const byte = bytes[index];
    if (byte === undefined) throw badKey('The OpenPGP data ends in a packet header');
    value = value * 256 + byte;
  }
  return value;
}

/** A packet with a new-format header around the same body (RFC 9580 §4.2.1). */
export function writePacket({ tag, body }: Packet): Uint8Array {
  const { length } = body;
  const header =
    length < 192
      ? [length]
      : length < 8384
        ? [((length - 192) >> 8) + 192, (length - 192) & 0xff]
        : [255, length >>> 24, (length >>> 16) & 0xff, (length >>> 8) & 0xff, length & 0xff];
  return Buffer.concat([Buffer.from([0xc0 | tag, ...header]), body]);
}

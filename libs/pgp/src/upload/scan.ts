import { DomainError } from '#libs/core';
import { badKey, secretKey } from '../packets/fault.js';
import { PACKET_LIMITS } from '../packets/limits.js';
import { type Packet, readHeader } from '../packets/reader.js';
import { DATA_TAGS, Tag } from '../packets/tags.js';

/** Packets of a block, up to the first that cannot be read. */
export interface Scan {
  readonly packets: readonly Packet[];
  readonly fault: DomainError | undefined;
}

/**
 * Cuts a block into packets, as far as that goes.
 * @param most packets that may still come
 * @throws DomainError for secret keys, wherever they stand and however they are written, and `too_large` for too many packets
 */
export function scanPackets(bytes: Uint8Array, most: number): Scan {
  const packets: Packet[] = [];
  for (let at = 0; at < bytes.length;) {
    refuseSecret(bytes[at] ?? 0);
    if (packets.length >= most)
      throw new DomainError('too_large', `Expected at most ${PACKET_LIMITS.packets} packets in one upload`);
    let frame: { tag: number; start: number; end: number };
    try {
      frame = readHeader(bytes, at);
    } catch (error) {
      if (!(error instanceof DomainError)) throw error;
      return { packets, fault: error };
    }
    const { tag, start, end } = frame;
    // A message is no certificate, whatever stands before it.
    if (DATA_TAGS.has(tag))
      return { packets: [], fault: badKey('Expected a public key, got an OpenPGP message') };
    if (end > bytes.length)
      return { packets, fault: badKey(`The OpenPGP data ends in the middle of a packet of type ${tag}`) };
    packets.push({ tag, body: bytes.subarray(start, end) });
    at = end;
  }
  return { packets, fault: undefined };
}

/** @param first octet of a packet: its type is in there in both formats */
function refuseSecret(first: number): void {
  if ((first & 0x80) === 0) return;
  const tag = (first & 0x40) === 0 ? (first >> 2) & 0x0f : first & 0x3f;
  if (tag === Tag.secretKey || tag === Tag.secretSubkey) throw secretKey();
}

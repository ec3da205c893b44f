import { badKey } from '../packets/fault.js';
import { PACKET_LIMITS } from '../packets/limits.js';
import type { Packet } from '../packets/reader.js';
import { Tag } from '../packets/tags.js';

/** A packet and the signatures that follow it. */
export interface Group {
  readonly packet: Packet;
  readonly signatures: Packet[];
}

/** One certificate as it was sent: nothing of it is verified. */
export interface RawCertificate {
  readonly primary: Group;
  readonly components: Group[];
}

/**
 * Divides packets into certificates, one at each primary key. Packet types that are never stored are left out, and so are the signatures
 * that follow them (keystore contract §3.1).
 * @throws DomainError when nothing is a certificate, or for too many
 */
export function splitCertificates(packets: readonly Packet[]): RawCertificate[] {
  const certificates: RawCertificate[] = [];
  let group: Group | undefined;
  for (const packet of packets) {
    const current = certificates.at(-1);
    if (packet.tag === Tag.publicKey) {
      group = { packet, signatures: [] };
      certificates.push({ primary: group, components: [] });
    } else if (packet.tag === Tag.signature) {
      group?.signatures.push(packet);
    } else if (packet.tag === Tag.userId || packet.tag === Tag.publicSubkey) {
      group = { packet, signatures: [] };
      current?.components.push(group);
    } else group = undefined;
  }
  if (certificates.length === 0) throw badKey('Expected an OpenPGP public key, got none');
  if (certificates.length > PACKET_LIMITS.certificates) {
    throw badKey(
      `Expected at most ${PACKET_LIMITS.certificates} keys in one upload, got ${certificates.length}`,
    );
  }
  return certificates;
}

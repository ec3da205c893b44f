import { DomainError } from '#libs/core';
import { badKey } from '../packets/fault.js';
import { type KeyFacts, readKey } from '../packets/key.js';
import { PACKET_LIMITS } from '../packets/limits.js';
import type { Packet } from '../packets/reader.js';
import { Tag } from '../packets/tags.js';

/** A signature as it was sent, and the packet that it stood behind: what it is over, if nobody has moved it. */
export interface PlacedSignature {
  readonly body: Uint8Array;
  readonly behind: Packet;
}

/** One certificate as it was sent: nothing of it is verified. */
export interface RawCertificate {
  readonly primary: Packet;
  /** User ids and subkeys. */
  readonly components: Packet[];
  readonly signatures: PlacedSignature[];
}

/** What the primary key of a certificate says about itself. @throws DomainError for keys that are not taken here */
export const factsOf = ({ primary }: RawCertificate): KeyFacts => readKey(primary.body);

/**
 * Divides packets into certificates, one at each primary key. Packet types that are never stored are left out (keystore contract §3.1).
 * @throws DomainError when nothing is a certificate, `too_large` for too many
 */
export function splitCertificates(packets: readonly Packet[]): RawCertificate[] {
  const certificates: RawCertificate[] = [];
  let behind: Packet | undefined;
  for (const packet of packets) {
    const current = certificates.at(-1);
    if (packet.tag === Tag.publicKey) {
      behind = packet;
      certificates.push({ primary: packet, components: [], signatures: [] });
    } else if (packet.tag === Tag.signature) {
      if (behind !== undefined) current?.signatures.push({ body: packet.body, behind });
    } else if (packet.tag === Tag.userId || packet.tag === Tag.publicSubkey) {
      behind = current && packet;
      current?.components.push(packet);
    }
  }
  if (certificates.length === 0) throw badKey('Expected an OpenPGP public key, got none');
  if (certificates.length > PACKET_LIMITS.certificates) throw tooManyKeys(certificates.length);
  return certificates;
}

export const tooManyKeys = (count: number): DomainError =>
  new DomainError(
    'too_large',
    `Expected at most ${PACKET_LIMITS.certificates} keys in one upload, got ${count}`,
    { reason: 'too_many_keys', remedy: 'Upload them one after the other' },
  );

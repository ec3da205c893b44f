import { type Packet, writePacket } from '../packets/reader.js';
import { writeSignature } from '../packets/signature.js';
import { Tag } from '../packets/tags.js';
import {
  type Certificate,
  type Component,
  isBound,
  needsBack,
  type Proven,
  type Subkey,
} from './components.js';

/** The bytes that are stored and served, in the order of keystore contract §3.4. */
export function writeCertificate(certificate: Certificate): Buffer {
  const { userIds, subkeys } = certificate;
  return write([
    certificate.primary,
    ...certificate.revocations.map(asPacket),
    ...certificate.direct.map(asPacket),
    ...userIds.filter(isBound).flatMap(userIdPackets),
    ...subkeys.filter(isBound).flatMap((subkey) => subkeyPackets(subkey, certificate)),
  ]);
}

/**
 * What is stored and not served: user ids and subkeys of which nothing but a revocation has come. Other programs refuse a key that
 * holds such a subkey (keystore contract §2.5), but what was revoked must be so when it comes. Empty for nearly every certificate;
 * read again behind what {@link writeCertificate} has written.
 */
export function writeWithheld(certificate: Certificate): Buffer {
  return write([
    ...certificate.userIds.filter((one) => !isBound(one)).flatMap(userIdPackets),
    ...certificate.subkeys
      .filter((one) => !isBound(one))
      .flatMap((subkey) => subkeyPackets(subkey, certificate)),
  ]);
}

const write = (packets: readonly Packet[]): Buffer => Buffer.concat(packets.map(writePacket));

const asPacket = ({ body }: Proven): Packet => ({ tag: Tag.signature, body });

const userIdPackets = ({ packet, bindings, revocations }: Component): Packet[] => [
  packet,
  ...[...bindings, ...revocations].map(asPacket),
];

function subkeyPackets(
  { packet, facts, back, bindings, revocations }: Subkey,
  { facts: signer }: Certificate,
): Packet[] {
  const withBack = (binding: Proven): Packet =>
    back !== undefined && needsBack(binding, facts)
      ? { tag: Tag.signature, body: writeSignature(binding, signer, back.body) }
      : asPacket(binding);
  return [packet, ...bindings.map(withBack), ...revocations.map(asPacket)];
}

import { hash } from 'node:crypto';
import type { Packet } from '../packets/reader.js';
import type { Certificate, Proven } from './components.js';

/** How a hidden user id is remembered: SHA-256 of its bytes, lower-case hex. @param packet a user id of a certificate */
export const hashOfUserId = ({ body }: Packet): string => hash('sha256', body);

/** A certificate without some of its user ids, for owners who hide them. @param hashes as of {@link hashOfUserId} */
export function withoutUserIds(certificate: Certificate, hashes: ReadonlySet<string>): Certificate {
  if (hashes.size === 0) return certificate;
  return {
    ...certificate,
    userIds: certificate.userIds.filter(({ packet }) => !hashes.has(hashOfUserId(packet))),
  };
}

/**
 * What stays of a certificate that is taken away after it was revoked: its primary key and what revokes it, with the direct-key
 * signatures that name whoever has done it, and those that a key of version 6 is nothing without. Undefined for one that is not revoked: of
 * that nothing stays (keystore contract §3.7).
 */
export function onlyRevoked(certificate: Certificate): Certificate | undefined {
  const { facts, revocations, direct } = certificate;
  if (revocations.length === 0) return undefined;
  const byOthers = revocations.some(({ issuer }) => issuer !== facts.keyId);
  const isNeeded = ({ revokers }: Proven): boolean =>
    facts.version === 6 || (byOthers && revokers.length > 0);
  return { ...certificate, direct: direct.filter(isNeeded), userIds: [], subkeys: [] };
}

import { hash } from 'node:crypto';
import type { Packet } from '../packets/reader.js';
import type { Certificate } from './components.js';

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
 * What stays of a certificate that is taken away after it was revoked: its primary key and what revokes it. Undefined for one that is not
 * revoked: of that nothing stays (keystore contract §3.7).
 */
export function onlyRevoked(certificate: Certificate): Certificate | undefined {
  if (certificate.revocations.length === 0) return undefined;
  return { ...certificate, direct: [], userIds: [], subkeys: [] };
}

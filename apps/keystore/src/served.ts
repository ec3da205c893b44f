import type { KeyState } from '#libs/contract';
import type { StoredCertificate } from './collections.store.js';

type Seen = Pick<StoredCertificate, 'userIds' | 'revoked'>;

/**
 * Whether a certificate is given to anybody: with a user id, or revoked. Without one stock clients refuse it, and a revocation must
 * be learned all the same (ADR 14).
 */
export function isServed({ userIds, revoked }: Seen): boolean {
  return userIds.length > 0 || revoked;
}

/** What the feed says of a certificate. */
export function stateOf(certificate: Seen | undefined): KeyState {
  if (certificate === undefined || !isServed(certificate)) return 'removed';
  return certificate.revoked ? 'revoked' : 'present';
}

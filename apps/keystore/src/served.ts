import type { KeyState } from '#libs/contract';
import type { StoredCertificate } from './collections.store.js';

type Seen = Pick<StoredCertificate, 'fingerprint' | 'userIds' | 'revoked'>;

/** Hexadecimal digits of a fingerprint of version 6. */
const DIGITS_OF_6 = 64;

/**
 * Whether a certificate is given to anybody: with a user id, or revoked. Without one stock clients refuse it, and a revocation must
 * be learned all the same (ADR 14). One of version 6 needs no user id: its direct-key signature says what there is to say.
 */
export function isServed({ fingerprint, userIds, revoked }: Seen): boolean {
  return userIds.length > 0 || revoked || fingerprint.length === DIGITS_OF_6;
}

/** What the feed says of a certificate. */
export function stateOf(certificate: Seen | undefined): KeyState {
  if (certificate === undefined || !isServed(certificate)) return 'removed';
  return certificate.revoked ? 'revoked' : 'present';
}

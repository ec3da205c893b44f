import type { StoredCertificate } from './collections.store.js';

/**
 * Whether a certificate is given to anybody: with a user id, or revoked. Without one stock clients refuse it, and a revocation must
 * be learned all the same (ADR 14).
 */
export function isServed({ userIds, revoked }: Pick<StoredCertificate, 'userIds' | 'revoked'>): boolean {
  return userIds.length > 0 || revoked;
}

import { DomainError } from '#libs/core';
import { publicKeyFingerprints } from '#libs/pgp';

/** The fingerprint of the primary key of a certificate, lower case; empty where it cannot be read. */
export function primaryFingerprint(certificate: Uint8Array): string {
  try {
    return publicKeyFingerprints(certificate).next().value?.toLowerCase() ?? '';
  } catch (error) {
    if (error instanceof DomainError) return '';
    throw error;
  }
}

import { DomainError } from '#libs/core';

/** OpenPGP data that cannot be accepted: HTTP 422 of the keystore (keystore contract §1.13). */
export function badKey(message: string): DomainError {
  return new DomainError('unprocessable', message, { reason: 'bad_openpgp_data' });
}

import { DomainError } from '#libs/core';

/** OpenPGP data that cannot be accepted: HTTP 422 of the keystore (keystore contract §1.13). */
export function badKey(message: string): DomainError {
  return new DomainError('unprocessable', message, { reason: 'bad_openpgp_data' });
}

/** For somebody who has just sent a secret key (keystore contract §3.6). */
export function secretKey(): DomainError {
  return badKey(
    'This is a secret key. It was not stored. It has left your machine: consider revoking it, and upload the public key',
  );
}

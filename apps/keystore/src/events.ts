import { hash } from 'node:crypto';
import type { AuditState } from '#libs/contract';
import { digestFromHex } from '#libs/core';
import type { StoredCertificate } from './collections.store.js';

/** What the audit trail says of a certificate: its hash, whether it is revoked, and whose it is. */
export function keyState({ armor, revoked, owner }: StoredCertificate): AuditState {
  return {
    digest: digestFromHex(hash('sha256', armor)),
    revoked,
    ...(owner !== undefined && { username: owner.username }),
  };
}

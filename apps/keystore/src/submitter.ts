import type { Actor, RequestOrigin } from '#libs/contract';
import { DomainError } from '#libs/core';
import type { Certificate } from '#libs/pgp';
import { credentialsMissing } from '#libs/server';

/** What of an upload may be taken: all of it, changes of stored keys, or their revocations alone. */
export type Permission = 'everything' | 'updates' | 'revocations';

/** Who brings keys. Without an account it is an address, and the operator has said what may be taken from it. */
export interface Submitter {
  readonly actor: Actor | undefined;
  readonly from: RequestOrigin;
  readonly may: Permission;
}

/**
 * The part of a certificate that may be taken from who has brought it.
 * @throws DomainError `unauthorized` when that is nothing: with a token it could be
 */
export function permittedOf(sent: Certificate, stored: boolean, may: Permission): Certificate {
  if (may === 'everything') return sent;
  if (!stored) throw tokenNeeded('Keys that are not stored yet are taken with a token only');
  if (may === 'updates') return sent;
  if (sent.revocations.length === 0) throw tokenNeeded('Without a token only revocations are taken');
  return { ...sent, direct: [], userIds: [], subkeys: [] };
}

function tokenNeeded(message: string): DomainError {
  return new DomainError('unauthorized', message, { reason: credentialsMissing().reason });
}

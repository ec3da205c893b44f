import type { Clock } from '#libs/core';
import { clearSign, fingerprintOf, type PgpKey } from '#libs/pgp';
import { HashType } from '#libs/sif';
import { DomainError } from '#libs/core';

/** What goes into a signature object. */
export interface SignatureObject {
  readonly data: Buffer;
  /** A number of `HashType`. */
  readonly hashType: number;
  /** Fingerprint of the signer's primary key, or empty. */
  readonly entity: Buffer;
}

/** Somebody who can sign the metadata of an image. */
export interface Signer {
  sign(metadata: string): Promise<SignatureObject>;
}

export interface PgpSignerOptions {
  /** Unlocked. */
  readonly key: PgpKey;
  readonly clock: Clock;
  /** See `clearSign`. */
  readonly salt?: boolean;
}

/**
 * Signs with an OpenPGP key, clear-signed (SIF contract §2.5). The descriptor names the primary key, whichever key of it
 * signs.
 * @throws DomainError for keys whose fingerprint does not fit the format, and what `clearSign` throws
 */
export function pgpSigner(options: PgpSignerOptions): Signer {
  const entity = Buffer.from(fingerprintOf(options.key), 'hex');
  if (entity.length !== 20)
    throw new DomainError('unprocessable', 'SIF images can be signed with version 4 keys only', {
      reason: 'pgp_key_version',
      remedy: 'Make one with: sing key newpair',
    });
  return {
    sign: async (metadata) => ({
      data: await clearSign(metadata, options),
      hashType: HashType.sha256,
      entity,
    }),
  };
}

import { isHard } from './canonical.js';
import { type Certificate, type Component, maySign, type Subkey } from './components.js';

/** What listings and look-ups need to know of a certificate. Times are Unix seconds; fingerprints lower-case hex. */
export interface CertificateSummary {
  readonly version: 4 | 6;
  readonly fingerprint: string;
  /** 16 digits. */
  readonly keyId: string;
  readonly algorithm: number;
  readonly bits: number;
  readonly created: number;
  /** Undefined: never. */
  readonly expires: number | undefined;
  readonly revoked: boolean;
  /**
   * An answer that holds this certificate and others is refused as a whole by gpg 2.4, because of its version or the algorithm of its
   * primary key: it is given out alone (keystore contract §2.3, §3.3).
   */
  readonly alone: boolean;
  /** It rests on SHA-1 or on a short key: people are to be told so (keystore contract §3.2, §3.3). */
  readonly weak: boolean;
  readonly userIds: readonly UserIdSummary[];
  /** The certificate is found by its subkeys too. */
  readonly subkeys: readonly SubkeySummary[];
}

export interface SubkeySummary {
  readonly fingerprint: string;
  /** 16 digits. */
  readonly keyId: string;
  readonly algorithm: number;
  readonly bits: number;
  readonly created: number;
  /** Undefined: never. */
  readonly expires: number | undefined;
  readonly revoked: boolean;
  /** It signs, and has said itself that it belongs to this certificate. Others may have been taken from somebody else. */
  readonly signs: boolean;
}

export interface UserIdSummary {
  /** The text: UTF-8, or Latin-1 where it is not valid UTF-8. */
  readonly text: string;
  readonly created: number;
  readonly revoked: boolean;
}

/** Expiry comes from the newest direct-key signature or self-certification of the primary user id (keystore contract §1.7). */
export function summarise(certificate: Certificate): CertificateSummary {
  const { facts } = certificate;
  const effective = [
    ...certificate.direct.slice(0, 1),
    ...(certificate.userIds[0]?.bindings.slice(0, 1) ?? []),
  ].sort((a, b) => b.created - a.created)[0];
  const seconds = effective?.keyExpiration ?? 0;
  return {
    version: facts.version,
    fingerprint: facts.fingerprint,
    keyId: facts.keyId,
    algorithm: facts.algorithm,
    bits: facts.bits,
    created: facts.created,
    expires: seconds === 0 ? undefined : facts.created + seconds,
    revoked: certificate.revocations.length > 0,
    alone: UNKNOWN_TO_GPG.has(facts.algorithm),
    weak: isWeak(certificate),
    userIds: certificate.userIds.map((userId) => ({
      text: decode(userId.packet.body),
      created: userId.bindings.at(-1)?.created ?? facts.created,
      revoked: isRevoked(userId),
    })),
    subkeys: certificate.subkeys.map(summariseSubkey),
  };
}

function summariseSubkey(subkey: Subkey): SubkeySummary {
  const { facts, bindings } = subkey;
  const seconds = bindings[0]?.keyExpiration ?? 0;
  return {
    fingerprint: facts.fingerprint,
    keyId: facts.keyId,
    algorithm: facts.algorithm,
    bits: facts.bits,
    created: facts.created,
    expires: seconds === 0 ? undefined : facts.created + seconds,
    revoked: isRevoked(subkey) || subkey.revocations.some(isHard),
    signs: bindings.some((binding) => maySign(binding, facts)),
  };
}

const UNKNOWN_TO_GPG: ReadonlySet<number> = new Set([27, 28]);
const SHA1 = 2;
/** RSA and DSA below this can be broken by those who have the means. */
const STRONG_BITS = 2048;
const BY_BITS: ReadonlySet<number> = new Set([1, 3, 17]);

/** By the newest signature of each component: that is the one that counts. */
function isWeak({ facts, direct, userIds, subkeys }: Certificate): boolean {
  const newest = [direct[0], ...[...userIds, ...subkeys].map(({ bindings }) => bindings[0])];
  const short = [facts, ...subkeys.map((subkey) => subkey.facts)].some(
    ({ algorithm, bits }) => BY_BITS.has(algorithm) && bits < STRONG_BITS,
  );
  return short || newest.some((signature) => signature?.hash === SHA1);
}

/** A later certification makes a user id valid again, unless the revocation is hard (keystore contract §3.2). */
function isRevoked({ bindings, revocations }: Component): boolean {
  const latest = bindings[0]?.created ?? 0;
  return revocations.some(
    (revocation) => revocation.created >= latest || (revocation.revocationReason === 2 && isHard(revocation)),
  );
}

function decode(body: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(body);
  } catch {
    return Buffer.from(body).toString('latin1');
  }
}

import { SHA1 } from '../packets/algorithms.js';
import type { KeyFacts } from '../packets/key.js';
import {
  type Certificate,
  type Component,
  isBound,
  maySign,
  type Proven,
  type Subkey,
} from './components.js';
import { isSubkeyRevoked, isUserIdRevoked } from './revoked.js';

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

export function summarise(certificate: Certificate): CertificateSummary {
  const { facts } = certificate;
  const userIds = certificate.userIds.filter(isBound);
  return {
    version: facts.version,
    fingerprint: facts.fingerprint,
    keyId: facts.keyId,
    algorithm: facts.algorithm,
    bits: facts.bits,
    created: facts.created,
    expires: expiryOf([...certificate.direct, ...decisive(userIds)], facts),
    revoked: certificate.revocations.length > 0,
    alone: facts.version === 6 || UNKNOWN_TO_GPG.has(facts.algorithm),
    weak: isWeak(certificate),
    userIds: userIds.map((userId) => ({
      text: decode(userId.packet.body),
      created: userId.bindings.at(-1)?.created ?? facts.created,
      revoked: isUserIdRevoked(userId),
    })),
    subkeys: certificate.subkeys.filter(isBound).map(summariseSubkey),
  };
}

function summariseSubkey(subkey: Subkey): SubkeySummary {
  const { facts, bindings } = subkey;
  return {
    fingerprint: facts.fingerprint,
    keyId: facts.keyId,
    algorithm: facts.algorithm,
    bits: facts.bits,
    created: facts.created,
    expires: expiryOf(bindings, facts),
    revoked: isSubkeyRevoked(subkey),
    signs: bindings.some((binding) => maySign(binding, facts)),
  };
}

/**
 * The certifications that say how long the key is valid (keystore contract §1.7): those of the primary user id. Where none is said to be
 * the primary one, those of all that are not revoked; where all are, of all.
 */
function decisive(userIds: readonly Component[]): readonly Proven[] {
  const valid = userIds.filter((userId) => !isUserIdRevoked(userId));
  const primary = valid.find(({ bindings }) => bindings[0]?.primaryUserId === true);
  if (primary !== undefined) return primary.bindings;
  return (valid.length > 0 ? valid : userIds).flatMap(({ bindings }) => bindings);
}

/** Where a key ends by its newest signature. When that signature ends before, the next one counts from then on. */
function expiryOf(signatures: readonly Proven[], { created }: KeyFacts): number | undefined {
  let end = 0;
  for (const facts of signatures.toSorted((a, b) => b.created - a.created)) {
    const key = facts.keyExpiration === 0 ? Number.POSITIVE_INFINITY : created + facts.keyExpiration;
    const signature =
      facts.signatureExpiration === 0 ? Number.POSITIVE_INFINITY : facts.created + facts.signatureExpiration;
    end = Math.max(end, Math.min(key, signature));
    if (key <= signature) break;
  }
  return Number.isFinite(end) && end > 0 ? end : undefined;
}

const UNKNOWN_TO_GPG: ReadonlySet<number> = new Set([27, 28]);
/** RSA and DSA below this can be broken by those who have the means. */
const STRONG_BITS = 2048;
const BY_BITS: ReadonlySet<number> = new Set([1, 2, 3, 16, 17]);

/** By the newest signature of each component: that is the one that counts. */
function isWeak({ facts, direct, userIds, subkeys }: Certificate): boolean {
  const newest = [direct[0], ...[...userIds, ...subkeys].map(({ bindings }) => bindings[0])];
  const short = [facts, ...subkeys.map((subkey) => subkey.facts)].some(
    ({ algorithm, bits }) => BY_BITS.has(algorithm) && bits < STRONG_BITS,
  );
  return short || newest.some((signature) => signature?.hash === SHA1);
}

function decode(body: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(body);
  } catch {
    return Buffer.from(body).toString('latin1');
  }
}

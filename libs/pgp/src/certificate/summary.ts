import { isHard } from './canonical.js';
import { type Certificate, type Component, maySign } from './components.js';

/** What listings and look-ups need to know of a certificate. Times are Unix seconds; fingerprints lower-case hex. */
export interface CertificateSummary {
  readonly fingerprint: string;
  readonly algorithm: number;
  readonly bits: number;
  readonly created: number;
  /** Undefined: never. */
  readonly expires: number | undefined;
  readonly revoked: boolean;
  readonly userIds: readonly UserIdSummary[];
  /** The certificate is found by its subkeys too. */
  readonly subkeys: readonly SubkeySummary[];
}

interface SubkeySummary {
  readonly fingerprint: string;
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
    fingerprint: facts.fingerprint,
    algorithm: facts.algorithm,
    bits: facts.bits,
    created: facts.created,
    expires: seconds === 0 ? undefined : facts.created + seconds,
    revoked: certificate.revocations.length > 0,
    userIds: certificate.userIds.map((userId) => ({
      text: decode(userId.packet.body),
      created: userId.bindings.at(-1)?.created ?? facts.created,
      revoked: isRevoked(userId),
    })),
    subkeys: certificate.subkeys.map(({ facts: subkey, bindings }) => ({
      fingerprint: subkey.fingerprint,
      signs: bindings.some((binding) => maySign(binding, subkey)),
    })),
  };
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

import type { KeyAddAnswer, KeyListing } from '#libs/contract';
import { joinArmor } from '#libs/pgp';
import type { StoredCertificate } from './certificates.store.js';
import type { CertificateDetails, SignatureDetails } from './details.js';
import type { Submitted } from './submit.service.js';

/** All certificates in one armor block: stock clients read only the first one (keystore contract §1.6). */
export function armorOf(certificates: readonly StoredCertificate[]): string {
  const armors = certificates.map(({ armor }) => armor);
  return armors.length === 1 ? (armors[0] ?? '') : joinArmor(armors);
}

/**
 * The listing in `mr` form; lines and their fields are those of keystore contract §1.7.
 * @param details by fingerprint, for lines about subkeys and signatures, which clients skip that do not know them
 */
export function listingOf(
  certificates: readonly StoredCertificate[],
  now: Date,
  details?: ReadonlyMap<string, CertificateDetails>,
): string {
  const lines = [`info:1:${certificates.length}`];
  for (const certificate of certificates) {
    const { fingerprint, algorithm, bits, created, expires } = certificate;
    const more = details?.get(fingerprint);
    const state = stateOf(certificate, now).charAt(0);
    lines.push(fields('pub', fingerprint.toUpperCase(), algorithm, bits, created, expires, state));
    lines.push(...(more?.own ?? []).map(signatureLine));
    for (const { text, created: since, revoked, index } of shownUserIds(certificate)) {
      lines.push(fields('uid', escape(text), since, undefined, revoked ? 'r' : ''));
      lines.push(...(more?.userIds[index] ?? []).map(signatureLine));
    }
    for (const subkey of more?.subkeys ?? []) {
      const flag = subkey.revoked ? 'r' : '';
      const { algorithm: code, bits: size, created: made, expires: end } = subkey;
      lines.push(fields('sub', subkey.fingerprint.toUpperCase(), code, size, made, end, flag));
      lines.push(...subkey.signatures.map(signatureLine));
    }
  }
  return lines.map((line) => `${line}\n`).join('');
}

/** What is absent is an empty field, so that every line has as many as clients count on. */
const fields = (...values: readonly (string | number | undefined)[]): string =>
  values.map((value) => value ?? '').join(':');

const signatureLine = ({ issuer, created, expires, type }: SignatureDetails): string =>
  fields('sig', issuer.toUpperCase(), type.toString(16), created, expires, '');

/** The primary one first, then the newest; each with its place in what is stored. */
function shownUserIds({
  userIds,
}: StoredCertificate): (StoredCertificate['userIds'][number] & { index: number })[] {
  const numbered = userIds.map((userId, index) => ({ ...userId, index }));
  return [...numbered.slice(0, 1), ...numbered.slice(1).toSorted((a, b) => b.created - a.created)];
}

/**
 * What is to be said of a certificate beside its validity: one word at most, and one letter of it in listings, because clients
 * compare the whole field (keystore contract §0 rule 6). Expiry is decided now, not when it was stored.
 */
export function stateOf({ revoked, expires }: StoredCertificate, now: Date): 'revoked' | 'expired' | '' {
  if (revoked) return 'revoked';
  return expires !== undefined && expires * 1000 <= now.getTime() ? 'expired' : '';
}

function escape(text: string): string {
  // oxlint-disable-next-line no-control-regex -- control characters are what must not get through
  return text.replace(/[%+:\u0000-\u001f\u007f-\u009f\u2028\u2029]/gu, (character) =>
    encodeURIComponent(character).replace('+', '%2B'),
  );
}

/** The listing as JSON: of HKP v2, and of `options=json` (keystore contract §1.6, §1.12). */
export function jsonListing(certificates: readonly StoredCertificate[]): KeyListing {
  return certificates.map((certificate) => ({
    version: versionOf(certificate.fingerprint),
    fingerprint: certificate.fingerprint,
    algorithm: {
      code: certificate.algorithm,
      name: algorithmName(certificate.algorithm),
      bitLength: certificate.bits,
    },
    creation: timeOf(certificate.created),
    ...(certificate.expires !== undefined && { expiration: timeOf(certificate.expires) }),
    isRevoked: certificate.revoked,
    userIDs: shownUserIds(certificate).map(({ text, created, revoked }) => ({
      uidString: text,
      creation: timeOf(created),
      isRevoked: revoked,
    })),
    subkeys: certificate.subkeys.map((fingerprint) => ({ version: versionOf(fingerprint), fingerprint })),
  }));
}

const versionOf = (fingerprint: string): 4 | 6 => (fingerprint.length === 64 ? 6 : 4);

/** RFC 3339 in UTC, without fractions. @param seconds Unix time */
const timeOf = (seconds: number): string => new Date(seconds * 1000).toISOString().replace('.000Z', 'Z');

/** RFC 9580 §9.1. */
const ALGORITHMS: Readonly<Record<number, string>> = {
  1: 'RSA',
  2: 'RSA',
  3: 'RSA',
  16: 'Elgamal',
  17: 'DSA',
  18: 'ECDH',
  19: 'ECDSA',
  22: 'EdDSA',
  25: 'X25519',
  26: 'X448',
  27: 'Ed25519',
  28: 'Ed448',
};

export const algorithmName = (code: number): string => ALGORITHMS[code] ?? `algorithm ${code}`;

/** One line a certificate, as Apptainer shows them to the user. */
export function submittedText(results: readonly Submitted[]): string {
  return results
    .map(({ fingerprint, outcome, comment }) =>
      outcome === 'invalid' ? `not stored: ${comment ?? ''}\n` : `${fingerprint.toUpperCase()} ${outcome}\n`,
    )
    .join('');
}

/** The same as JSON, in the shape of HKP drafts (keystore contract §1.9). */
export function submittedJson(results: readonly Submitted[]): KeyAddAnswer {
  const of = (outcome: Submitted['outcome']) =>
    results
      .filter((result) => result.outcome === outcome)
      .map(({ fingerprint }) => ({ version: versionOf(fingerprint), fingerprint }));
  return {
    inserted: of('inserted'),
    updated: of('updated'),
    ignored: of('unchanged'),
    deleted: [],
    invalid: results
      .filter(({ outcome }) => outcome === 'invalid')
      .map(({ comment }) => ({ comment: comment ?? '' })),
  };
}

import { type SubkeySummary, summarise } from '#libs/pgp';
import type { StoredCertificate } from './certificates.store.js';
import { parseStored } from './stored.js';

/** What only pages and listings with signatures show: read from the certificate itself. Times are Unix seconds. */
export interface CertificateDetails {
  /** People are to be told that it rests on what can be broken. */
  readonly weak: boolean;
  /** Signatures of the primary key about itself. */
  readonly own: readonly SignatureDetails[];
  /** Signatures about its user ids, in the order in which they are stored. */
  readonly userIds: readonly (readonly SignatureDetails[])[];
  readonly subkeys: readonly SubkeyDetails[];
}

export interface SignatureDetails {
  /** OpenPGP signature type. */
  readonly type: number;
  /** Key id, 16 hex digits. */
  readonly issuer: string;
  readonly created: number;
  readonly expires: number | undefined;
}

export interface SubkeyDetails extends SubkeySummary {
  readonly mayDo: readonly string[];
  readonly signatures: readonly SignatureDetails[];
}

/** Octets of the key flags (RFC 9580 §5.2.3.29). */
const FLAGS: readonly (readonly [number, string])[] = [
  [0x01, 'certify'],
  [0x02, 'sign'],
  [0x0c, 'encrypt'],
  [0x20, 'authenticate'],
];

type Signature = Awaited<ReturnType<typeof parseStored>>['direct'][number];

/** Takes a stored certificate apart; about as expensive as sending it. */
export async function detailsOf(stored: StoredCertificate): Promise<CertificateDetails> {
  const certificate = await parseStored(stored);
  const { revocations, direct, userIds, subkeys } = certificate;
  const summary = summarise(certificate);
  const shown = (...signatures: readonly Signature[]): SignatureDetails[] =>
    signatures.map(({ type, issuer, created, signatureExpiration }) => ({
      type,
      issuer,
      created,
      expires: signatureExpiration === 0 ? undefined : created + signatureExpiration,
    }));
  return {
    weak: summary.weak,
    own: shown(...revocations, ...direct),
    userIds: userIds.map((userId) => shown(...userId.bindings, ...userId.revocations)),
    subkeys: summary.subkeys.map((subkey, index) => {
      const { bindings = [], revocations: taken = [] } = subkeys[index] ?? {};
      const flags = bindings[0]?.keyFlags ?? 0;
      return {
        ...subkey,
        mayDo: FLAGS.filter(([bit]) => (flags & bit) !== 0).map(([, what]) => what),
        signatures: shown(...bindings, ...taken),
      };
    }),
  };
}

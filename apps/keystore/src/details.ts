import { readArmor, readCleanCertificate, readPackets, splitCertificates } from '#libs/pgp';

/** What only pages and listings with signatures show: read from the certificate itself. Times are Unix seconds. */
export interface CertificateDetails {
  /** Signatures of the primary key about itself. */
  readonly own: readonly SignatureDetails[];
  /** Signatures about user ids, by their text. */
  readonly userIds: ReadonlyMap<string, readonly SignatureDetails[]>;
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

export interface SubkeyDetails {
  readonly fingerprint: string;
  readonly algorithm: number;
  readonly bits: number;
  readonly created: number;
  readonly expires: number | undefined;
  readonly revoked: boolean;
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

type Clean = Awaited<ReturnType<typeof readCleanCertificate>>;
type Signature = Clean['direct'][number];

/** Takes a stored certificate apart; about as expensive as sending it. */
export async function detailsOf(armor: string): Promise<CertificateDetails> {
  const [raw] = splitCertificates(readArmor(armor).flatMap((block) => readPackets(block)));
  if (raw === undefined) throw new Error('a stored certificate is empty');
  const { facts, revocations, direct, userIds, subkeys } = await readCleanCertificate(raw);
  const shown = (signatures: readonly Signature[]): SignatureDetails[] =>
    signatures.map(({ type, created, signatureExpiration }) => ({
      type,
      // Everything that is kept was made by the primary key.
      issuer: facts.keyId,
      created,
      expires: signatureExpiration === 0 ? undefined : created + signatureExpiration,
    }));
  return {
    own: shown([...revocations, ...direct]),
    userIds: new Map(
      userIds.map(({ packet, bindings, revocations: taken }) => [
        textOf(packet.body),
        shown([...bindings, ...taken]),
      ]),
    ),
    subkeys: subkeys.map(({ facts: subkey, bindings, revocations: taken }) => {
      const seconds = bindings[0]?.keyExpiration ?? 0;
      const flags = bindings[0]?.keyFlags ?? 0;
      return {
        fingerprint: subkey.fingerprint,
        algorithm: subkey.algorithm,
        bits: subkey.bits,
        created: subkey.created,
        expires: seconds === 0 ? undefined : subkey.created + seconds,
        revoked: taken.length > 0,
        mayDo: FLAGS.filter(([bit]) => (flags & bit) !== 0).map(([, what]) => what),
        signatures: shown([...bindings, ...taken]),
      };
    }),
  };
}

/** As the summary of a certificate reads it: UTF-8, or Latin-1 where it is not valid UTF-8. */
function textOf(body: Uint8Array): string {
  const text = Buffer.from(body).toString('utf8');
  return Buffer.from(text).equals(body) ? text : Buffer.from(body).toString('latin1');
}

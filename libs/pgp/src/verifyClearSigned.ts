import type { Key, SignaturePacket, Subkey } from 'openpgp';
import { splitClearSigned } from './clearText.js';
import { pgpError } from './fault.js';
import { packetsOf } from './framing.js';
import { fingerprintOf, primaryUserId, reasonOf, type PgpKey } from './key.js';
import { PGP_LIMITS } from './limits.js';
import { loadOpenPgp, type OpenPgp } from './openpgp.js';
import { Tag } from './packets/tags.js';

/** Who signed and what: only given out when the signature is good. */
export interface VerifiedMessage {
  /** The signed text, and nothing that was not signed. */
  readonly text: Buffer;
  readonly signer: Signer;
}

export interface Signer {
  /** Of the primary key, upper-case hex. */
  readonly fingerprint: string;
  /** Id of the key that signed, primary or subkey, upper-case hex. */
  readonly keyId: string;
  /** Escape it before it is printed. */
  readonly userId: string;
  readonly key: PgpKey;
  readonly signedAt: Date;
}

/** Keys by the 64-bit id (16 upper-case hex digits) of a primary key or subkey; several may share one. */
export type FindKeys = (keyId: string) => Promise<readonly PgpKey[]>;

export interface VerifyOptions {
  /**
   * The primary key of a certificate of version 4 without user ids signs too: nothing says what it may do, or until when. For
   * proofs that somebody has the key, and nothing else.
   */
  readonly nameless?: boolean;
}

/**
 * Verifies a clear-signed message. SHA-224, 256, 384 and 512 alone are accepted (CVE-2022-39237). The signer must hold
 * the right to sign; expiry and revocation are judged at `now`, not at the time of the signature (SIF contract §2.5).
 * Of several signatures the first whose key is known decides.
 * @throws DomainError `pgp_not_clear_signed`, `pgp_weak_hash`, `pgp_unknown_signer`, `pgp_bad_signature`
 */
export async function verifyClearSigned(
  data: Uint8Array,
  findKeys: FindKeys,
  now: Date,
  { nameless = false }: VerifyOptions = {},
): Promise<VerifiedMessage> {
  const { text, signedOctets, signature } = splitClearSigned(data);
  const openpgp = await loadOpenPgp();
  const packets = await readSignatures(openpgp, signature);
  for (const packet of packets) {
    const keyId = packet.issuerKeyID.toHex().toUpperCase();
    const candidates = (await findKeys(keyId)).slice(0, PGP_LIMITS.candidates);
    if (candidates.length === 0) continue;
    return { text, signer: await verifyOne({ openpgp, packet, signedOctets, candidates, now, nameless }) };
  }
  const ids = packets.map(({ issuerKeyID }) => issuerKeyID.toHex().toUpperCase()).join(', ');
  throw pgpError(
    'pgp_unknown_signer',
    `openpgp: signature made by unknown entity: the key ${ids} is not in the key ring and no server gave it`,
    { remedy: `Get it with: sing key pull ${ids}` },
  );
}

async function readSignatures(openpgp: OpenPgp, bytes: Buffer): Promise<SignaturePacket[]> {
  const frames = [...packetsOf(bytes)];
  if (frames.length === 0 || frames.length > PGP_LIMITS.signatures)
    throw badSignature(`Expected 1 to ${PGP_LIMITS.signatures} signatures, got ${frames.length}`);
  if (frames.some(({ tag }) => tag !== Tag.signature)) throw badSignature('something else than signatures');
  const signature = await openpgp.readSignature({ binarySignature: bytes }).catch((cause: unknown) => {
    throw badSignature(reasonOf(cause), cause);
  });
  const packets = [...signature.packets];
  for (const packet of packets) checkStrength(openpgp, packet);
  return packets;
}

/** Refused before any key is looked up, so that a weak signature never starts a request to a server. */
function checkStrength({ enums }: OpenPgp, packet: SignaturePacket): void {
  const { sha224, sha256, sha384, sha512 } = enums.hash;
  const hash = packet.hashAlgorithm;
  if (hash === null || ![sha224, sha256, sha384, sha512].includes(hash))
    throw pgpError(
      'pgp_weak_hash',
      `openpgp: invalid data: hash algorithm: Expected SHA-224, SHA-256, SHA-384 or SHA-512, got number ${hash}`,
    );
  if (packet.signatureType !== enums.signature.text)
    throw badSignature(`Expected a text signature, got type ${packet.signatureType}`);
}

interface Attempt {
  readonly openpgp: OpenPgp;
  readonly packet: SignaturePacket;
  readonly signedOctets: Buffer;
  readonly candidates: readonly PgpKey[];
  readonly now: Date;
  readonly nameless: boolean;
}

async function verifyOne(attempt: Attempt): Promise<Signer> {
  const { openpgp, packet, signedOctets, candidates, now } = attempt;
  let failure: unknown;
  for (const key of candidates) {
    try {
      const part = await signingPart(key.key, attempt);
      if (packet.created === null || packet.created < part.keyPacket.created)
        throw new Error('the signature is older than its key');
      // The library only asks for the bytes; it hashes them with CRLF, which they have already.
      const document = { getBytes: () => signedOctets };
      await packet.verify(part.keyPacket, openpgp.enums.signature.text, document, now, true, openpgp.config);
      return {
        fingerprint: fingerprintOf(key),
        keyId: part.getKeyID().toHex().toUpperCase(),
        userId: await primaryUserId(key, now),
        key,
        signedAt: packet.created,
      };
    } catch (error) {
      failure = error;
    }
  }
  throw badSignature(reasonOf(failure), failure);
}

/** The key that signed, if it may sign at `now`: not expired, not revoked, with the flag, and bound in both directions. */
async function signingPart(key: Key, { packet, now, nameless }: Attempt): Promise<Key | Subkey> {
  const isNameless = key.users.length === 0 && key.keyPacket.version === 4;
  if (nameless && isNameless && key.getKeyID().equals(packet.issuerKeyID)) return key;
  return key.getSigningKey(packet.issuerKeyID, now);
}

const badSignature = (why: string, cause?: unknown) =>
  pgpError('pgp_bad_signature', `openpgp: invalid signature: ${why}`, { cause });

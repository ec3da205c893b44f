import type { Key, PrivateKey, Subkey } from 'openpgp';
import { decodeArmors, encodeArmor } from './armor.js';
import { pgpError } from './fault.js';
import { certificatesIn } from './framing.js';
import { PGP_LIMITS } from './limits.js';
import { loadOpenPgp } from './openpgp.js';

/** A key with the exact bytes it came in: those are stored and passed on, never what a library re-wrote. */
export interface PgpKey {
  readonly bytes: Uint8Array;
  readonly key: Key;
}

/** What people want to know about a key. */
export interface KeyInfo {
  /** 40 or 64 upper-case hex digits. */
  readonly fingerprint: string;
  /** 16 upper-case hex digits. */
  readonly keyId: string;
  /** As written by the owner: escape them before they are printed. */
  readonly userIds: readonly string[];
  /** `rsa4096`, `ed25519`, `nistP256` … */
  readonly algorithm: string;
  readonly created: Date;
  readonly expires: Date | null;
  readonly revoked: boolean;
  readonly secret: boolean;
  readonly subkeys: readonly SubkeyInfo[];
}

export type SubkeyInfo = Pick<
  KeyInfo,
  'fingerprint' | 'keyId' | 'algorithm' | 'created' | 'expires' | 'revoked'
>;

/**
 * Reads all keys of a file or an answer: armor (several blocks, text around them) or binary packets.
 * @throws DomainError when there is no key, or one cannot be read
 */
export async function readKeys(data: Uint8Array | string): Promise<PgpKey[]> {
  const bytes = typeof data === 'string' ? Buffer.from(data, 'utf8') : data;
  if (bytes.length > PGP_LIMITS.keyFileBytes)
    throw pgpError(
      'pgp_too_large',
      `Expected at most ${PGP_LIMITS.keyFileBytes} bytes of keys, got ${bytes.length}`,
    );
  const keys: PgpKey[] = [];
  for (const part of binaryParts(bytes))
    for (const certificate of certificatesIn(part)) keys.push(await readKey(certificate));
  if (keys.length === 0) throw pgpError('pgp_no_key', 'Expected OpenPGP keys, found none');
  return keys;
}

function binaryParts(bytes: Uint8Array): Uint8Array[] {
  if (((bytes[0] ?? 0) & 0x80) !== 0) return [bytes];
  const blocks = decodeArmors(Buffer.from(bytes).toString('latin1'));
  const other = blocks.find(({ type }) => type !== 'PUBLIC KEY BLOCK' && type !== 'PRIVATE KEY BLOCK');
  if (other !== undefined) throw pgpError('pgp_no_key', `Expected OpenPGP keys, got a PGP ${other.type}`);
  return blocks.map((block) => block.bytes);
}

/** Parses the bytes of one certificate. @throws DomainError `pgp_unreadable_key` */
export async function readKey(bytes: Uint8Array): Promise<PgpKey> {
  const openpgp = await loadOpenPgp();
  try {
    return { bytes, key: await openpgp.readKey({ binaryKey: bytes }) };
  } catch (cause) {
    throw pgpError('pgp_unreadable_key', `An OpenPGP key cannot be read: ${reasonOf(cause)}`, { cause });
  }
}

/** A key in ASCII armor, its bytes unchanged, with a newline at the end. */
export function armorKey(key: PgpKey): string {
  return `${encodeArmor(isSecret(key) ? 'PRIVATE KEY BLOCK' : 'PUBLIC KEY BLOCK', key.bytes)}\n`;
}

/** True for a key with its secret part, locked by a passphrase or not. */
export function isSecret(key: PgpKey): key is PgpKey & { readonly key: PrivateKey } {
  return key.key.isPrivate();
}

/** Fingerprint of the primary key, upper-case hex. */
export function fingerprintOf(key: PgpKey): string {
  return key.key.getFingerprint().toUpperCase();
}

/** The user id that stands for the key, `unknown` when no valid one is left. Escape it before it is printed. */
export async function primaryUserId(key: PgpKey, now: Date): Promise<string> {
  const primary = await key.key.getPrimaryUser(now).catch(() => undefined);
  return primary?.user.userID?.userID ?? key.key.getUserIDs()[0] ?? 'unknown';
}

/** Everything about a key that listings show, judged at `now`. */
export async function describeKey(key: PgpKey, now: Date): Promise<KeyInfo> {
  return {
    ...common(key.key),
    userIds: key.key.getUserIDs(),
    expires: dateOrNull(await key.key.getExpirationTime()),
    revoked: await key.key.isRevoked(undefined, undefined, now),
    secret: isSecret(key),
    subkeys: await Promise.all(
      key.key.subkeys.map(async (subkey) => ({
        ...common(subkey),
        expires: dateOrNull(await subkey.getExpirationTime(now)),
        revoked: await isSubkeyRevoked(subkey, now),
      })),
    ),
  };
}

function common(key: Key | Subkey) {
  return {
    fingerprint: key.getFingerprint().toUpperCase(),
    keyId: key.getKeyID().toHex().toUpperCase(),
    algorithm: algorithmOf(key),
    created: key.getCreationTime(),
  };
}

async function isSubkeyRevoked(subkey: Subkey, now: Date): Promise<boolean> {
  const [binding] = subkey.bindingSignatures;
  return binding !== undefined && subkey.isRevoked(binding, subkey.mainKey.keyPacket, now);
}

const dateOrNull = (date: Date | typeof Infinity | null): Date | null => (date instanceof Date ? date : null);

function algorithmOf(key: Key | Subkey): string {
  const { algorithm, bits, curve } = key.getAlgorithmInfo();
  if (algorithm.startsWith('rsa')) return `rsa${bits ?? ''}`;
  if (algorithm.startsWith('eddsa') || algorithm === 'ed25519') return 'ed25519';
  if (curve === 'curve25519Legacy') return 'cv25519';
  if (curve !== undefined) return curve;
  return `${algorithm}${bits ?? ''}`;
}

/** The message of an error of OpenPGP.js without its own prefix. */
export function reasonOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.replace(/^Error (?:reading|verifying|encrypting|decrypting)[^:]*: /, '');
}

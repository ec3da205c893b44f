import { createHash, createPrivateKey, createPublicKey, sign, verify, type KeyObject } from 'node:crypto';
import { DomainError } from '#libs/core';

/**
 * A private key from PEM: PKCS#8, `RSA PRIVATE KEY` or `EC PRIVATE KEY`, without passphrase.
 * @throws DomainError for everything else; `openPrivateKey` asks for passphrases
 */
export function readPrivateKey(pem: string): KeyObject {
  if (/ENCRYPTED/.test(pem)) throw unusableKey('it has a passphrase');
  return supported(() => createPrivateKey(pem));
}

/** A public key from PEM: SPKI or `RSA PUBLIC KEY`. @throws DomainError for everything else */
export function readPublicKey(pem: string): KeyObject {
  if (pem.includes('PRIVATE KEY')) throw unusableKey('it is a private key');
  return supported(() => createPublicKey(pem));
}

/** Why a key cannot be used. */
export const unusableKey = (why: string, cause?: unknown) =>
  new DomainError('unprocessable', `Expected an Ed25519, ECDSA or RSA key in PEM form: ${why}`, {
    reason: 'pem_key_unusable',
    cause,
  });

function supported(read: () => KeyObject): KeyObject {
  try {
    return checkedKey(read());
  } catch (cause) {
    if (cause instanceof DomainError) throw cause;
    throw unusableKey('it cannot be read', cause);
  }
}

/** Shorter RSA keys can be broken. */
const LEAST_RSA_BITS = 2048;

/** The key, when signatures with it are offered and it is strong enough. @throws DomainError `pem_key_unusable` */
export function checkedKey(key: KeyObject): KeyObject {
  if (curveOf(key) === undefined && key.asymmetricKeyType !== 'rsa' && key.asymmetricKeyType !== 'ed25519')
    throw unusableKey(`this kind of key (${key.asymmetricKeyType}) is not offered`);
  const bits = key.asymmetricKeyDetails?.modulusLength;
  if (bits !== undefined && bits < LEAST_RSA_BITS)
    throw unusableKey(`an RSA key needs at least ${LEAST_RSA_BITS} bits, it has ${bits}`);
  return key;
}

const CURVES = new Map([
  ['prime256v1', 'nistp256'],
  ['secp384r1', 'nistp384'],
  ['secp521r1', 'nistp521'],
]);

function curveOf(key: KeyObject): string | undefined {
  return CURVES.get(key.asymmetricKeyDetails?.namedCurve ?? '');
}

/** `SHA256:` and the unpadded base64 of the key's OpenSSH fingerprint (SIF contract §2.6). */
export function keyIdOf(key: KeyObject): string {
  const digest = createHash('sha256').update(sshEncoding(key)).digest('base64');
  return `SHA256:${digest.replace(/=+$/, '')}`;
}

function sshEncoding(key: KeyObject): Buffer {
  const jwk = (key.type === 'private' ? createPublicKey(key) : key).export({ format: 'jwk' });
  const bytes = (text: string | undefined) => Buffer.from(text ?? '', 'base64url');
  const curve = curveOf(key);
  if (curve !== undefined) {
    const point = Buffer.concat([Buffer.of(4), bytes(jwk.x), bytes(jwk.y)]);
    return Buffer.concat([
      field(Buffer.from(`ecdsa-sha2-${curve}`)),
      field(Buffer.from(curve)),
      field(point),
    ]);
  }
  if (key.asymmetricKeyType === 'rsa')
    return Buffer.concat([field(Buffer.from('ssh-rsa')), integer(bytes(jwk.e)), integer(bytes(jwk.n))]);
  return Buffer.concat([field(Buffer.from('ssh-ed25519')), field(bytes(jwk.x))]);
}

function field(bytes: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}

/** A positive number: a zero byte keeps the top bit from being a sign. */
function integer(bytes: Buffer): Buffer {
  return field((bytes[0] ?? 0) & 0x80 ? Buffer.concat([Buffer.of(0), bytes]) : bytes);
}

/** Ed25519 hashes by itself; ECDSA and RSA (PKCS#1 v1.5) use SHA-256 whatever their size (SIF contract §2.6). */
const hashFor = (key: KeyObject) => (key.asymmetricKeyType === 'ed25519' ? null : 'sha256');

export function signBytes(key: KeyObject, bytes: Buffer): Buffer {
  return sign(hashFor(key), bytes, key);
}

export function verifyBytes(key: KeyObject, bytes: Buffer, signature: Buffer): boolean {
  return verify(hashFor(key), bytes, key, signature);
}

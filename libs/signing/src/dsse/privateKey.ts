import { createPrivateKey, scrypt, type KeyObject } from 'node:crypto';
import { promisify } from 'node:util';
import { DomainError } from '#libs/core';
import { checkedKey, readPrivateKey, unusableKey } from './key.js';
import { openSecretBox } from './secretbox.js';

/**
 * A private key from PEM: PKCS#8, `RSA PRIVATE KEY`, `EC PRIVATE KEY`, with a passphrase or without, or one that sigstore or cosign
 * keeps (SIF contract §2.6).
 * @param askPassphrase called only for a key that has one
 * @throws DomainError `pem_key_unusable`, `wrong_passphrase`
 */
export async function openPrivateKey(pem: string, askPassphrase: () => Promise<string>): Promise<KeyObject> {
  const sealed = /-----BEGIN ENCRYPTED (?:SIGSTORE|COSIGN) PRIVATE KEY-----([A-Za-z0-9+/=\s]*)-----END/.exec(
    pem,
  )?.[1];
  if (sealed !== undefined)
    return checkedKey(await unseal(Buffer.from(sealed, 'base64'), await askPassphrase()));
  if (!/ENCRYPTED/.test(pem)) return readPrivateKey(pem);
  const passphrase = await askPassphrase();
  try {
    return checkedKey(createPrivateKey({ key: pem, passphrase }));
  } catch (cause) {
    if (cause instanceof DomainError) throw cause;
    throw wrongPassphrase(cause);
  }
}

const derive = promisify<string, Buffer, number, { N: number; r: number; p: number; maxmem: number }, Buffer>(
  scrypt,
);

/** Most that scrypt may cost: what its makers recommend at most. Whoever made the file chose it. */
const MOST_COST = 2 ** 17;

interface Sealed {
  readonly N: number;
  readonly r: number;
  readonly p: number;
  readonly salt: Buffer;
  readonly nonce: Buffer;
  readonly box: Buffer;
}

async function unseal(bytes: Buffer, passphrase: string): Promise<KeyObject> {
  const { N, r, p, salt, nonce, box } = readSealed(bytes);
  const key = await derive(passphrase, salt, 32, { N, r, p, maxmem: 256 * N * r });
  const der = openSecretBox(key, nonce, box);
  if (der === undefined) throw wrongPassphrase();
  try {
    return createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  } catch (cause) {
    throw unusableKey('it cannot be read', cause);
  }
}

function readSealed(bytes: Buffer): Sealed {
  let json: unknown;
  try {
    json = JSON.parse(bytes.toString('utf8'));
  } catch (cause) {
    throw unusableKey('it is damaged', cause);
  }
  const at = (...names: readonly string[]): unknown =>
    names.reduce<unknown>(
      (value, name) =>
        typeof value === 'object' && value !== null
          ? Object.entries(value).find(([key]) => key === name)?.[1]
          : undefined,
      json,
    );
  const [N, r, p] = ['N', 'r', 'p'].map((name) => at('kdf', 'params', name));
  if (at('kdf', 'name') !== 'scrypt' || at('cipher', 'name') !== 'nacl/secretbox')
    throw unusableKey('it is kept in a way that is not offered');
  const isCost = typeof N === 'number' && Number.isInteger(Math.log2(N)) && N > 1 && N <= MOST_COST;
  if (!isCost || r !== 8 || p !== 1) throw unusableKey('its passphrase would take too long to check');
  const data = (value: unknown) => Buffer.from(typeof value === 'string' ? value : '', 'base64');
  return {
    N,
    r,
    p,
    salt: data(at('kdf', 'salt')),
    nonce: data(at('cipher', 'nonce')),
    box: data(at('ciphertext')),
  };
}

const wrongPassphrase = (cause?: unknown) =>
  new DomainError('unprocessable', 'Failed to sign container: The passphrase does not open the private key', {
    reason: 'wrong_passphrase',
    exitCode: 255,
    cause,
  });

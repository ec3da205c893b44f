import type { Clock } from '#libs/core';
import type { Key, KeyID, PrivateKey } from 'openpgp';
import { decodeArmors } from './armor.js';
import { joinClearSigned } from './clearText.js';
import { pgpError } from './fault.js';
import { fingerprintOf, isSecret, reasonOf, type PgpKey } from './key.js';
import { loadOpenPgp, signConfig } from './openpgp.js';

export interface ClearSignOptions {
  /** An unlocked secret key. */
  readonly key: PgpKey;
  readonly clock: Clock;
  /** Random notation that makes every signature different; without it RSA signatures can be repeated. True by default. */
  readonly salt?: boolean;
}

/** A clear-signed message and the hash that its signature uses. */
export interface ClearSigned {
  readonly data: Buffer;
  /** `SHA256` except for keys that demand a longer one. */
  readonly hash: string;
}

/**
 * Clear-signs a text. The primary key signs; when it may only certify, a signing subkey does, so that the signature can
 * be verified (the stock tools sign with such a primary key, and nobody can ever verify that, SIF contract §2.5).
 * @param text without a line end at the end
 * @throws DomainError `pgp_cannot_sign` for a locked, public, expired or revoked key, or one without signing right
 */
export async function clearSign(text: string, options: ClearSignOptions): Promise<ClearSigned> {
  const { key } = options;
  if (!isSecret(key) || !key.key.isDecrypted())
    throw pgpError('pgp_cannot_sign', `The key ${fingerprintOf(key)} is not unlocked for signing`);
  const openpgp = await loadOpenPgp();
  const now = options.clock.now();
  const signature = await openpgp
    .sign({
      message: await openpgp.createCleartextMessage({ text }),
      signingKeys: key.key,
      signingKeyIDs: await signingKeyId(key.key, now),
      date: now,
      format: 'armored',
      config: signConfig(openpgp, options.salt ?? true),
    })
    .catch((cause: unknown) => {
      throw cannotSign(key, cause);
    });
  const bytes = decodeArmors(signature).find(({ type }) => type === 'SIGNATURE')?.bytes;
  if (bytes === undefined) throw new Error('OpenPGP.js gave a clear-signed message without a signature');
  const { packets } = await openpgp.readSignature({ binarySignature: bytes });
  const hash = packets[0]?.hashAlgorithm ?? openpgp.enums.hash.sha256;
  const name = openpgp.enums.read(openpgp.enums.hash, hash).toUpperCase();
  return { data: joinClearSigned(text, name, bytes), hash: name };
}

async function signingKeyId(key: PrivateKey, now: Date): Promise<KeyID> {
  const usable: Key['getSigningKey'] = key.getSigningKey.bind(key);
  const primary = await usable(key.getKeyID(), now).catch(() => undefined);
  return primary?.getKeyID() ?? (await usable(undefined, now)).getKeyID();
}

const cannotSign = (key: PgpKey, cause: unknown) =>
  pgpError('pgp_cannot_sign', `The key ${fingerprintOf(key)} cannot sign: ${reasonOf(cause)}`, { cause });

import type { Clock } from '#libs/core';
import type { Config, PrivateKey, SecretKeyPacket, SecretSubkeyPacket } from 'openpgp';
import { trimEnd } from './armor.js';
import { joinClearSigned } from './clearText.js';
import { pgpError } from './fault.js';
import { fingerprintOf, isSecret, reasonOf, type PgpKey } from './key.js';
import { loadOpenPgp, signConfig } from './openpgp.js';
import { writePacket } from './packets/reader.js';
import { Tag } from './packets/tags.js';

export interface ClearSignOptions {
  /** An unlocked secret key. */
  readonly key: PgpKey;
  readonly clock: Clock;
  /** Random notation that makes every signature different; without it RSA signatures can be repeated. True by default. */
  readonly salt?: boolean;
}

/**
 * Clear-signs a text with SHA-256, whatever hash the key prefers (SIF contract §2.5). The primary key signs; when it may
 * only certify, a signing subkey does, so that the signature can be verified (the stock tools sign with such a primary
 * key, and nobody can ever verify that).
 * @param text without a line end at the end
 * @throws DomainError `pgp_cannot_sign` for a locked, public, expired or revoked key, or one without signing right
 */
export async function clearSign(text: string, options: ClearSignOptions): Promise<Buffer> {
  const { key, clock } = options;
  if (!isSecret(key) || !key.key.isDecrypted())
    throw pgpError('pgp_cannot_sign', `The key ${fingerprintOf(key)} is not unlocked for signing`);
  const openpgp = await loadOpenPgp();
  // Blanks at line ends are not signed in this format, so they must not be in the message either.
  const lines = text.split('\n').map(trimEnd);
  const signed = Buffer.from(lines.join('\r\n'), 'utf8');
  const packet = new openpgp.SignaturePacket();
  packet.signatureType = openpgp.enums.signature.text;
  packet.hashAlgorithm = openpgp.enums.hash.sha256;
  try {
    const part = await signingPart(key.key, clock.now());
    packet.publicKeyAlgorithm = part.algorithm;
    // The declaration lacks the last parameter, without which the method does not work.
    const signature: Signing = packet;
    const config = signConfig(openpgp, options.salt ?? true);
    await signature.sign(part, { getBytes: () => signed }, clock.now(), true, config);
  } catch (cause) {
    throw pgpError('pgp_cannot_sign', `The key ${fingerprintOf(key)} cannot sign: ${reasonOf(cause)}`, {
      cause,
    });
  }
  const bytes = writePacket({ tag: Tag.signature, body: packet.write() });
  return joinClearSigned(lines.join('\n'), 'SHA256', bytes);
}

interface Signing {
  sign(
    key: SecretKeyPacket | SecretSubkeyPacket,
    data: object,
    date: Date,
    detached: boolean,
    config: Config,
  ): Promise<void>;
}

/** The secret packet that signs: the primary key's if it may, else a subkey's. */
async function signingPart(key: PrivateKey, now: Date): Promise<SecretKeyPacket | SecretSubkeyPacket> {
  const primary = await key.getSigningKey(key.getKeyID(), now).catch(() => undefined);
  const { keyPacket } = primary ?? (await key.getSigningKey(undefined, now));
  if (!('isDummy' in keyPacket) || keyPacket.isDummy())
    throw new Error('its secret part is not here, it lies on a card or another machine');
  return keyPacket;
}

import type { KeyObject } from 'node:crypto';
import { HashType } from '#libs/sif';
import { failed } from '../fault.js';
import type { Signer } from '../signer.js';
import { preAuthEncoding, writeEnvelope, type Envelope } from './envelope.js';
import { keyIdOf, signBytes, verifyBytes } from './key.js';

/** Signs with keys that are no OpenPGP keys; several put their signatures into one envelope (SIF contract §2.6). */
export function dsseSigner(keys: readonly KeyObject[]): Signer {
  return {
    sign: async (metadata) => {
      const payload = Buffer.from(metadata);
      const signed = preAuthEncoding(payload);
      const signatures = keys.map((key) => ({ keyid: keyIdOf(key), signature: signBytes(key, signed) }));
      return {
        data: writeEnvelope({ payload, signatures }),
        hashType: HashType.sha256,
        entity: Buffer.alloc(0),
      };
    },
  };
}

/**
 * The payload of an envelope and the name of the key that signed it, when at least one signature in it is one of the keys'. An empty key id fits every key,
 * another one only its own; other signatures are ignored.
 * @throws VerificationFailure
 */
export function verifyEnvelope(
  envelope: Envelope,
  keys: readonly KeyObject[],
  signatureId: number,
): { payload: Buffer; keyId: string } {
  const signed = preAuthEncoding(envelope.payload);
  for (const key of keys) {
    const own = keyIdOf(key);
    const accepted = envelope.signatures.some(
      ({ keyid, signature }) => (keyid === '' || keyid === own) && verifyBytes(key, signed, signature),
    );
    if (accepted) return { payload: envelope.payload, keyId: own };
  }
  throw failed(
    'signature_not_valid',
    `signature object ${signatureId} not valid: dsse: verify envelope failed: accepted signatures do not match ` +
      'threshold, Found: 0, Expected 1',
    { objectId: signatureId },
  );
}

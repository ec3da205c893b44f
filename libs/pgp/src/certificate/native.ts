import { createHash, createPublicKey, type KeyObject, verify } from 'node:crypto';
import { Cursor } from '../packets/cursor.js';
import { type KeyFacts, readKey } from '../packets/key.js';
import type { Packet } from '../packets/reader.js';
import { plainSignature } from '../packets/signature.js';
import type { Signed } from './components.js';
import { hashedData, padded } from './hashed.js';

/** RFC 9580 §9.5: those that nobody has doubts about. */
const HASHES: Readonly<Record<number, string>> = { 8: 'sha256', 9: 'sha384', 10: 'sha512' };
const RSA: ReadonlySet<number> = new Set([1, 3]);
/** This thread waits for what is computed here: 0.1 ms at most. Larger numbers are OpenPGP.js's, which has others compute. */
const MOST_MODULUS_BYTES = 512;
const MOST_EXPONENT_BYTES = 4;
const EDDSA_LEGACY = 22;
const ED25519_OID = '2b06010401da470f01';

/**
 * Signatures of the keys that nearly everybody has (RSA, Ed25519), checked by Node itself in a third of the time that OpenPGP.js
 * takes. Only what has nothing out of the ordinary: about the rest this says nothing, and OpenPGP.js decides.
 */
export class NativeVerifier {
  readonly #signers = new Map<Packet, Signer | undefined>();

  /**
   * Whether `signer` made this signature of the given type over `signed`; undefined when OpenPGP.js is to be asked.
   * @throws whatever broken bodies make it throw; OpenPGP.js has an answer for them
   */
  verify(body: Uint8Array, type: number, signed: Signed, signer: Packet): boolean | undefined {
    const known = this.#signer(signer);
    if (known === undefined) return undefined;
    const { facts, key } = known;
    const signature = plainSignature(body, facts.keyId);
    if (signature === undefined || signature.algorithm !== facts.algorithm || signature.head[1] !== type)
      return undefined;
    const hash = HASHES[signature.hash];
    if (hash === undefined) return undefined;
    const data = hashedData(signed, signature.head);
    const digest = createHash(hash).update(data).digest();
    if (!digest.subarray(0, 2).equals(signature.left)) return false;
    if (signature.numbers.some((number) => number.length > known.bytes)) return false;
    const numbers = Buffer.concat(signature.numbers.map((number) => padded(number, known.bytes)));
    return facts.algorithm === EDDSA_LEGACY
      ? verify(null, digest, key, numbers)
      : verify(hash, data, key, numbers);
  }

  /** Each key is read once per upload. */
  #signer(packet: Packet): Signer | undefined {
    if (!this.#signers.has(packet)) {
      const facts = readKey(packet.body);
      const key = keyOf(packet.body, facts.algorithm);
      const bytes = Math.ceil((key?.asymmetricKeyDetails?.modulusLength ?? 256) / 8);
      this.#signers.set(packet, key && { facts, key, bytes });
    }
    return this.#signers.get(packet);
  }
}

interface Signer {
  readonly facts: KeyFacts;
  readonly key: KeyObject;
  /** Of each number of a signature. */
  readonly bytes: number;
}

function keyOf(body: Uint8Array, algorithm: number): KeyObject | undefined {
  const cursor = new Cursor(body.subarray(6));
  const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64url');
  if (RSA.has(algorithm)) {
    const [n, e] = [cursor.mpi(), cursor.mpi()];
    // A number with leading zeros is read in more than one way.
    if (n[0] === 0 || e[0] === 0 || cursor.left > 0) return undefined;
    if (n.length > MOST_MODULUS_BYTES || e.length > MOST_EXPONENT_BYTES) return undefined;
    return createPublicKey({ format: 'jwk', key: { kty: 'RSA', n: text(n), e: text(e) } });
  }
  if (algorithm !== EDDSA_LEGACY) return undefined;
  if (Buffer.from(cursor.take(cursor.number(1))).toString('hex') !== ED25519_OID) return undefined;
  const point = cursor.mpi();
  // 0x40: the point in its native form (RFC 9580 §11.2).
  if (point[0] !== 0x40 || point.length !== 33 || cursor.left > 0) return undefined;
  return createPublicKey({ format: 'jwk', key: { kty: 'OKP', crv: 'Ed25519', x: text(point.subarray(1)) } });
}

import { SHA1 } from '../packets/algorithms.js';
import type { KeyFacts } from '../packets/key.js';
import { PACKET_LIMITS } from '../packets/limits.js';
import type { Packet } from '../packets/reader.js';
import {
  isReadAsItIs,
  mayBeBy,
  readSignature,
  type SignatureFacts,
  SignatureType,
  writeSignature,
} from '../packets/signature.js';
import { attempt } from './attempt.js';
import { maySign, type Proven } from './components.js';
import type { SignatureVerifier } from './verifier.js';

/** Back-signatures of one binding that are tried: there is one, unless somebody put more there. */
export const MOST_BACK_SIGNATURES = 8;
/** Octets of the unhashed area that are not the back-signature. */
const OTHERS_BYTES = 64;

/** A signing subkey must say itself that it belongs here, or anybody could adopt it (keystore contract §3.2). */
export class BackSignatures {
  constructor(
    private readonly primary: Packet,
    private readonly verifier: SignatureVerifier,
  ) {}

  /**
   * Looks for the word of a subkey that it belongs here.
   * @param unhashed what may be such words, from every copy of the binding
   * @returns words that stand where nothing is signed; none where none is needed there; undefined when the binding must not be kept
   */
  async wordsFor(
    binding: SignatureFacts,
    subkey: { readonly packet: Packet; readonly facts: KeyFacts },
    unhashed: readonly Uint8Array[],
  ): Promise<Proven[] | undefined> {
    const { facts, packet } = subkey;
    if (!this.verifier.isUsable(facts)) return undefined;
    const signs = maySign(binding, facts);
    const [signed] = binding.embedded.hashed;
    if (signed !== undefined) {
      // Programs read it in any case, and refuse the key when it is something else.
      const word = isReadAsItIs(signed) ? readBack(signed) : undefined;
      return word !== undefined && (!signs || (await this.#isWord(word, packet, facts))) ? [] : undefined;
    }
    if (!signs) return [];
    const found: Proven[] = [];
    for (const body of unhashed) {
      const word = readBack(body);
      if (word === undefined || !(await this.#isWord(word, packet, facts))) continue;
      const written = writeSignature(word, facts);
      const fits = written.length <= PACKET_LIMITS.unhashedBytes - OTHERS_BYTES;
      if (fits) found.push({ ...word, issuer: facts.keyId, body: written });
    }
    return found.length > 0 ? found : undefined;
  }

  async #isWord(word: SignatureFacts, component: Packet, subkey: KeyFacts): Promise<boolean> {
    if (!mayBeBy(word, subkey)) return false;
    return this.verifier.verify(word, { primary: this.primary, component }, subkey);
  }
}

/**
 * A signature that says what a back-signature says. Of any other type it may be a signature of some document that was made to look
 * like these keys.
 */
function readBack(body: Uint8Array): SignatureFacts | undefined {
  const word = attempt(() => readSignature(body));
  return word?.type === SignatureType.primaryKeyBinding ? word : undefined;
}

/**
 * Of two words of one subkey the one that more programs take: not with SHA-1, not one that ends, the earliest, so that it was there
 * when whatever it is needed for was signed.
 */
export function betterBack(one: Proven | undefined, other: Proven | undefined): Proven | undefined {
  if (one === undefined || other === undefined) return one ?? other;
  const rank = (proven: Proven): [number, number, number] => [
    Number(proven.hash === SHA1),
    Number(proven.signatureExpiration > 0),
    proven.created,
  ];
  const [a, b] = [rank(one), rank(other)];
  const order = a[0] - b[0] || a[1] - b[1] || a[2] - b[2] || Buffer.compare(one.body, other.body);
  return order <= 0 ? one : other;
}

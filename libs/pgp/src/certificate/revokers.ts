import { type KeyFacts } from '../packets/key.js';
import type { Packet } from '../packets/reader.js';
import { mayBeBy, type SignatureFacts, writeSignature } from '../packets/signature.js';
import type { Certificate, Proven } from './components.js';
import type { SignatureVerifier } from './verifier.js';

/** The stored certificate with a fingerprint (lower-case hex), if there is one. */
export type FindRevoker = (fingerprint: string) => Promise<Certificate | undefined>;

/** Designated revokers of one key that are looked for. */
const MOST_REVOKERS = 10;

/** Those whom a key has named for revoking it (RFC 9580 §5.2.3.23). */
export class Revokers {
  readonly #fingerprints: readonly string[];
  readonly #found = new Map<string, Promise<Certificate | undefined>>();

  /** @param direct verified direct-key signatures: nothing else names a revoker */
  constructor(
    direct: readonly Proven[],
    private readonly verifier: SignatureVerifier,
    private readonly find: FindRevoker | undefined,
  ) {
    const named = new Set(direct.flatMap((one) => one.revokers));
    this.#fingerprints = [...named].sort().slice(0, MOST_REVOKERS);
  }

  /** The revocation, if one of them has made it and is known here. */
  async check(revocation: SignatureFacts, primary: Packet): Promise<Proven | undefined> {
    const { find } = this;
    if (find === undefined || revocation.issuers.names.length === 0) return undefined;
    for (const fingerprint of this.#fingerprints) {
      if (!revocation.issuers.names.some((name) => fingerprint.endsWith(name))) continue;
      const revoker = await this.#certificate(fingerprint, find);
      if (revoker === undefined) continue;
      const signer: KeyFacts = revoker.facts;
      if (signer.fingerprint !== fingerprint || !mayBeBy(revocation, signer)) continue;
      if (await this.verifier.verify(revocation, { primary }, signer))
        return { ...revocation, issuer: signer.keyId, body: writeSignature(revocation, signer) };
    }
    return undefined;
  }

  #certificate(fingerprint: string, find: FindRevoker): Promise<Certificate | undefined> {
    const known = this.#found.get(fingerprint) ?? find(fingerprint);
    this.#found.set(fingerprint, known);
    return known;
  }
}

import type { KeyFacts } from '../packets/key.js';
import type { Packet } from '../packets/reader.js';
import type { SignatureFacts } from '../packets/signature.js';

/** What a signature of a certificate is made over: the primary key, and perhaps a component of it. */
export interface Signed {
  readonly primary: Packet;
  readonly component?: Packet;
}

/** A user id or subkey with the signatures that bind it or revoke it. */
export interface Component {
  readonly packet: Packet;
  /** Self-certifications or subkey bindings, newest first. */
  readonly bindings: readonly SignatureFacts[];
  readonly revocations: readonly SignatureFacts[];
}

export interface Subkey extends Component {
  readonly facts: KeyFacts;
}

/** A certificate all of whose parts were verified. Order inside the lists is canonical (keystore contract §3.4). */
export interface Certificate {
  readonly primary: Packet;
  readonly facts: KeyFacts;
  readonly revocations: readonly SignatureFacts[];
  readonly direct: readonly SignatureFacts[];
  readonly userIds: readonly Component[];
  readonly subkeys: readonly Subkey[];
}

const FLAG_SIGN = 0x02;
/** RSA, DSA, ECDSA, EdDSA in their forms. */
const SIGNING: ReadonlySet<number> = new Set([1, 3, 17, 19, 22, 27, 28]);

/** Whether a subkey may sign by this binding. Without key flags it may do what its algorithm can, as for gpg. */
export function maySign({ keyFlags }: SignatureFacts, { algorithm }: KeyFacts): boolean {
  return keyFlags === undefined ? SIGNING.has(algorithm) : (keyFlags & FLAG_SIGN) !== 0;
}

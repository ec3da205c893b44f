import { SIGNING } from '../packets/algorithms.js';
import type { KeyFacts } from '../packets/key.js';
import type { Packet } from '../packets/reader.js';
import type { SignatureFacts } from '../packets/signature.js';

/** What a signature of a certificate is made over: the primary key, and perhaps a component of it. */
export interface Signed {
  readonly primary: Packet;
  readonly component?: Packet;
}

/** A signature that was verified, and the form in which it is kept. */
export interface Proven extends SignatureFacts {
  /** Who made it: a key id of 16 lower-case hex digits. */
  readonly issuer: string;
  /** The packet body, without a back-signature. */
  readonly body: Uint8Array;
}

/** A user id or subkey with the signatures that bind it or revoke it. */
export interface Component {
  readonly packet: Packet;
  /** Self-certifications or subkey bindings, newest first. Without any the component is not given out. */
  readonly bindings: readonly Proven[];
  readonly revocations: readonly Proven[];
}

export interface Subkey extends Component {
  readonly facts: KeyFacts;
  /** The word of a signing subkey that it belongs here. All its bindings carry the same one. */
  readonly back: Proven | undefined;
}

/** A certificate all of whose parts were verified. Order inside the lists is canonical (keystore contract §3.4). */
export interface Certificate {
  readonly primary: Packet;
  readonly facts: KeyFacts;
  readonly revocations: readonly Proven[];
  readonly direct: readonly Proven[];
  readonly userIds: readonly Component[];
  readonly subkeys: readonly Subkey[];
}

/** Whether a component is given out: the primary key vouches for it, now or before it was revoked. */
export const isBound = ({ bindings }: Component): boolean => bindings.length > 0;

const FLAG_SIGN = 0x02;

/** Whether a subkey may sign by this binding. Without key flags it may do what its algorithm can, as for gpg. */
export function maySign({ keyFlags }: SignatureFacts, { algorithm }: KeyFacts): boolean {
  return keyFlags === undefined ? SIGNING.has(algorithm) : (keyFlags & FLAG_SIGN) !== 0;
}

/** Whether a binding has to carry the word of the subkey in what is not signed: it signs, and the binding itself has no such word. */
export function needsBack(binding: Proven, subkey: KeyFacts): boolean {
  return binding.embedded.hashed.length === 0 && maySign(binding, subkey);
}

import type { Descriptor, SifImage } from '#libs/sif';
import type { Failure } from './fault.js';
import type { KeyOrigin } from './keySource.js';

/** An OpenPGP signer whose signature is good. */
export interface ImageSigner {
  /** Of the primary key, 40 upper-case hex digits. */
  readonly fingerprint: string;
  /** Of the key that signed. */
  readonly keyId: string;
  /** Escape it before it is printed. */
  readonly userId: string;
  readonly origin: KeyOrigin;
  /** As the signature says, and covered by it. */
  readonly signedAt: Date;
}

/** What became of one signature object that was looked at. */
export interface SignatureReport {
  readonly kind: 'pgp' | 'dsse' | 'legacy';
  /** Id of the signature object. */
  readonly signatureId: number;
  /** The group that was asked about. */
  readonly group: number;
  /** Known as soon as the signature itself is good, also when the image then is not what was signed. */
  readonly signer?: ImageSigner;
  /** Of a DSSE envelope: the name of the key that fits, `SHA256:…`. */
  readonly keyId?: string;
  /** Objects whose descriptor and data are what was signed. */
  readonly verified: readonly Descriptor[];
  readonly failure?: Failure;
  /** The object that the failure is about, when it is one that should be covered. */
  readonly failedObject?: Descriptor;
  /** Objects that were to be covered and that the signature does not name. */
  readonly leftOut?: readonly Descriptor[];
}

/** The answer of a verification: `failure` is absent exactly when everything that was asked for is good. */
export interface VerifyResult {
  readonly ok: boolean;
  /** Signatures in the order they were looked at; the first failure ends it. */
  readonly signatures: readonly SignatureReport[];
  readonly failure?: Failure;
  /** What does not change the answer: key servers that did not answer. */
  readonly warnings: readonly string[];
  /** The image as it was read. */
  readonly image: SifImage;
  /** What no signature covers and looks changed or hidden, when it was asked for: see `outsideWarnings`. */
  readonly outside: readonly string[];
}

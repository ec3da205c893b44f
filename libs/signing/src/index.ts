export {
  coverageOf,
  goodSigners,
  signersOf,
  type CoverageState,
  type ImageSigners,
  type ObjectCoverage,
} from './coverage.js';
export { dsseSigner } from './dsse/dsse.js';
export { openPrivateKey } from './dsse/privateKey.js';
export { keyIdOf, readPrivateKey, readPublicKey } from './dsse/key.js';
export type { Failure, FailureReason } from './fault.js';
export { serverKeySource, type KeyOrigin, type KeySource } from './keySource.js';
export { claimedSigners, readFingerprints, requiredSignersError } from './required.js';
export { coverageSentences, resultJson, signatureText, verificationError } from './report.js';
export type { ImageSigner, SignatureReport, VerifyResult } from './result.js';
export { signImage, type SignOptions } from './sign.js';
export { pgpSigner, type PgpSignerOptions, type SignatureObject, type Signer } from './signer.js';
export type { Selection } from './task.js';
export { verifyImage, type VerifyOptions } from './verify.js';
export { certificateKey, type CertificateOptions, type TrustedKey } from './x509/certificateKey.js';
export { type AskOcsp } from './x509/ocsp/check.js';
export { CERTIFICATE_LIMITS } from './x509/limits.js';

/** Everything OpenPGP that is read from outside is bounded by these. */
export const PGP_LIMITS = {
  /** Bytes of a key file or of what a key server answers, armored or binary. */
  keyFileBytes: 8 * 1024 * 1024,
  /** Bytes of a key ring file. */
  ringBytes: 64 * 1024 * 1024,
  /** Bytes of a clear-signed message. */
  messageBytes: 1024 * 1024,
  /** Packets of one certificate. */
  certificatePackets: 5000,
  /** Certificates of one key file. */
  certificates: 1000,
  /** Signatures in one clear-signed message. */
  signatures: 16,
  /** Keys with the same 64-bit id that are tried for a signature. */
  candidates: 10,
  /** Bytes of a user id. */
  userIdBytes: 1024,
} as const;

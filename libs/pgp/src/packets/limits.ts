/** Limits of what is read from OpenPGP data of others (keystore contract §4.1). */
export const PACKET_LIMITS = {
  /** Bytes of one upload. */
  uploadBytes: 2 * 1024 * 1024,
  /** Packets that are read before an upload is refused. */
  packets: 5000,
  /** Bytes of a key or user-id packet. */
  packetBytes: 8 * 1024,
  signatureBytes: 64 * 1024,
  userIdBytes: 1024,
  mpiBits: 16_384,
  /** A smaller RSA key can be broken by anybody who wants to. */
  rsaLeastBits: 1024,
  rsaExponentBits: 64,
  /** The largest DSA key of FIPS 186-4 §4.2. It is computed here without help: a larger one would take seconds for a signature. */
  dsaBits: 3072,
  dsaOrderBits: 256,
  /** Certificates of one upload. */
  certificates: 10,
  /** User ids, and subkeys, of one certificate. */
  components: 50,
  /** Self-signatures, and revocations, of one component. */
  signatures: 5,
  /**
   * Work for one upload before the rest of it is refused. A unit is a signature of RSA, NIST curves or Ed25519, about 0.2 ms;
   * the largest certificates that people have need some hundred.
   */
  work: 2000,
  /** Bytes of a certificate after cleaning. */
  certificateBytes: 64 * 1024,
} as const;

/** Limits of what is read from OpenPGP data of others (keystore contract §4.1). */
export const PACKET_LIMITS = {
  /** Bytes of one upload. */
  uploadBytes: 2 * 1024 * 1024,
  /** Packets that are read before an upload is refused. */
  packets: 5000,
  /** Armor blocks of one upload. */
  blocks: 50,
  /** Bytes of a key or user-id packet. */
  packetBytes: 8 * 1024,
  signatureBytes: 64 * 1024,
  /** What gpg takes of the two areas of a signature: a larger one loses the whole answer (keystore contract §2.3). */
  hashedBytes: 30_000,
  unhashedBytes: 10_000,
  userIdBytes: 1024,
  mpiBits: 16_384,
  /** A smaller RSA or DSA key can be broken by anybody who wants to. */
  leastBits: 1024,
  rsaExponentBits: 64,
  /** The largest DSA key of FIPS 186-4 §4.2. */
  dsaBits: 3072,
  /** Certificates, and revocations without one, of one upload. */
  certificates: 10,
  /** User ids, and subkeys, of one certificate. */
  components: 50,
  /** Self-signatures, and revocations, of one component. */
  signatures: 5,
  /**
   * Work for one upload before the rest of it is refused. A unit is 0.1 ms of a processor, about a signature of RSA with 4096 bits or
   * of Ed25519; the largest certificates that people have need some hundred.
   */
  work: 3000,
  /** Bytes of a certificate after cleaning, without what revokes the key. */
  certificateBytes: 64 * 1024,
} as const;

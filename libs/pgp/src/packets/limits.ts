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
  /** Certificates of one upload. */
  certificates: 10,
  /** User ids, and subkeys, of one certificate. */
  components: 50,
  /** Self-signatures, and revocations, of one component. */
  signatures: 5,
  /** Bytes of a certificate after cleaning. */
  certificateBytes: 64 * 1024,
} as const;

/** Packet types (RFC 9580 §5). */
export const Tag = {
  signature: 2,
  secretKey: 5,
  publicKey: 6,
  secretSubkey: 7,
  userId: 13,
  publicSubkey: 14,
} as const;

/** Packets of encrypted or signed data: an upload that holds one is no certificate (keystore contract §3.1). */
export const DATA_TAGS: ReadonlySet<number> = new Set([1, 3, 8, 9, 11, 18, 20]);

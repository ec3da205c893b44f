/** Everything that is read from an image is bounded by these (SIF contract §6). */
export const SIF_LIMITS = {
  /** Descriptors in a table. Tools write 48. */
  slots: 4096,
  /** Bytes of one signature object that are ever loaded. */
  signatureBytes: 1024 * 1024,
  /** Bytes of a text or JSON object that are loaded as a whole. */
  textBytes: 16 * 1024 * 1024,
  /** Bytes of one read or write while objects are copied or hashed. */
  chunkBytes: 1024 * 1024,
  /** Bytes outside of all objects that are searched for data: what a verification reads beyond what was signed. */
  unusedBytes: 256 * 1024 * 1024,
} as const;

/** The least a partition must hold to be mounted: loaders read that much to recognise the file system (§5.2). */
export const LEAST_PARTITION_BYTES = 2048;

/** Limits of what is read from an OCI layout or registry. */
export const LIMITS = {
  /** `index.json`, manifests and image configurations. */
  documentBytes: 4 * 1024 * 1024,
  layers: 500,
  /** Entries of one layer. */
  entries: 2_000_000,
  /** Bytes that one layer may unpack to. */
  layerBytes: 256 * 1024 ** 3,
} as const;

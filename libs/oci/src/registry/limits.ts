/** Bounds on what a registry may make us read or remember. Sizes in bytes. */
export const REGISTRY_LIMITS = {
  /** A manifest or index: what stock registries take at most. */
  manifest: 4 * 1024 * 1024,
  /** The configuration of an artifact. */
  config: 1024 * 1024,
  /** `WWW-Authenticate`, all of its lines together. */
  challenge: 8 * 1024,
  /** Parameters of one challenge. */
  challengeParameters: 16,
  /** Answer of a token service. */
  token: 256 * 1024,
  /** Milliseconds for a manifest or a token to be there: it may come byte by byte. */
  documentTime: 120_000,
  /** Bytes of a refusal that are looked at. */
  error: 64 * 1024,
  /** A file with credentials, and how many registries it may name. */
  authFile: 1024 * 1024,
  /** What a registry says instead of how long its token lasts: "defaults to 60 seconds" (token specification). */
  tokenSeconds: 60,
  /** A token is renewed so many milliseconds before it ends. */
  tokenMargin: 10_000,
  /** Pieces in which a blob is sent to a registry that refuses it whole (413): proxies in front allow that much. */
  piece: 32 * 1024 * 1024,
} as const;

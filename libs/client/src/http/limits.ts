/** Bounds on what a server may make a client hold or wait for. */
export const CLIENT_LIMITS = {
  /** Bytes of a JSON answer. */
  json: 8 * 1024 * 1024,
  /** Bytes of a text answer (armored keys: "5 MiB per response", keystore contract §1.6). */
  text: 6 * 1024 * 1024,
  /** Bytes of an error body that are looked at. */
  error: 64 * 1024,
  /** "Redirect following: at most 10" (library contract §3). */
  redirects: 10,
  /** Attempts of a request that may be repeated, the first included. */
  attempts: 3,
  /** Milliseconds before the second attempt; doubles with each. */
  backoff: 200,
  /** Longest `Retry-After` that is waited for, in milliseconds. */
  retryAfter: 10_000,
  /** Milliseconds until a connection must stand. */
  connect: 15_000,
  /** Milliseconds between two pieces of an answer, and before its headers. */
  idle: 300_000,
} as const;

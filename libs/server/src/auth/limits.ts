/** Every bound of token checking, in one place. */
export const ACCESS_LIMITS = {
  /** How often a service asks for new revocations. With the time of one request this stays under one second. */
  feedPollMs: 400,
  /** One request for keys or revocations may take this long. */
  authorityTimeoutMs: 3_000,
  /** Without a good answer for this long, writes are refused (503) until there is one. Reads go on. */
  feedStaleMs: 10_000,
  /** How far the clocks of two machines may differ before a feed counts as old. */
  clockSkewMs: 60_000,
  /** Replicas of the auth service may answer with times that differ by this much. */
  replicaSkewMs: 5_000,
  /** Unknown key ids cause at most one request for keys in this time, however many there are. */
  keyRefreshMs: 2_000,
  /** Verified tokens that are remembered, so that a client that repeats requests costs one signature check. */
  rememberedTokens: 2_000,
  /** A use of a token is reported this long after it, together with others; then not again for this long. */
  useReportMs: 1_000,
  useSpacingMs: 60_000,
  /** Tokens whose last report is remembered, and uses that may wait to be reported; further ones are dropped. */
  rememberedUses: 10_000,
  waitingUses: 1_000,
  /** A client assertion is good for this long. */
  assertionSeconds: 60,
  /** The keys of a service are looked for on disk at most this often. */
  serviceKeyRefreshMs: 1_000,
} as const;

const MIB = 1024 * 1024;

/** Limits of a worker. Sizes in bytes, times in milliseconds. */
export const LIMITS = {
  /** Log text that waits before it is sent at once. */
  logBatchBytes: 256 * 1024,
  /** Log text never waits longer than this. */
  logDelay: 40,
  /** A build may not write more log than this; the middle of what exceeds it is left out, and said. */
  logBytes: 64 * MIB,
  /** A quiet build asks this often whether anybody still wants it. */
  heartbeat: 1_000,
  /** Attempts to reach the builder, which may be restarting, with pauses that grow to `retryPause`. */
  callAttempts: 40,
  retryPause: 2_000,
  /** Builds at the same time. */
  concurrency: 1,
} as const;

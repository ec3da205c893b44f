const KIB = 1024;
const MIB = 1024 * KIB;
const GIB = 1024 * MIB;

/** Limits of a worker. Sizes in bytes, times in milliseconds. */
export const LIMITS = {
  /** Log text that waits before it is sent at once. */
  logBatchBytes: 256 * KIB,
  /** Log text never waits longer than this. */
  logDelay: 40,
  /** A build may not write more log than this; the middle of what exceeds it is left out, and said. */
  logBytes: 64 * MIB,
  /** How much of the end is kept then: it says why the build failed. */
  logEndBytes: 256 * KIB,
  /** A quiet build asks this often whether anybody still wants it. */
  heartbeat: 1_000,
  /** Attempts to reach the builder, which may be restarting, with pauses that grow to `retryPause`. */
  callAttempts: 40,
  /** Attempts when it answers that it has a bug (500). */
  bugAttempts: 3,
  retryPause: 2_000,
  /** Bytes that a build context may unpack to. */
  contextBytes: 32 * GIB,
  /** A build is stopped when less than this is free on its disk: the services beside it need to go on. */
  diskReserve: GIB,
  diskInterval: 200,
  /** Processes and threads of the worker's user and of its builds together: a build that forks without end stops there. */
  processes: 8192,
  /** Builds at the same time. */
  concurrency: 1,
} as const;

/** Bounds and sizes of transfers. Sizes in bytes, times in milliseconds. */
export const TRANSFER = {
  /** Larger files are sent in parts, as stock clients do (library contract §6.1). */
  singleMaximum: 64 * 1024 * 1024,
  /** A pull asks for ranges of this size; smaller files come in one. */
  range: 16 * 1024 * 1024,
  /** Ranges at once: measured in ADR 18. */
  connections: 4,
  /** Read from disk, hashed or written at once. */
  batch: 1024 * 1024,
  /** How often a part or range is tried before the whole gives up: long enough for a server to restart. */
  attempts: 8,
  backoff: 500,
  longestBackoff: 15_000,
  /** A server that asks for more patience than this (`Retry-After`) is not waited for. */
  longestRetryAfter: 10 * 60 * 1000,
  /** How often a process that waits touches what it works at, for others to see that it lives. */
  heartbeat: 30_000,
  /** What a process that cannot be judged from here has left is taken up when it was not touched for this long: clocks differ. */
  abandonedAfter: 10 * 60 * 1000,
  /** After so many received bytes a pull notes down what is there: what a kill costs, for each connection. */
  noteEvery: 4 * 1024 * 1024,
  /** What is remembered of an upload, in milliseconds, and bytes of it that are read: 10,000 parts with long names. */
  uploadKnown: 24 * 60 * 60 * 1000,
  uploadMemory: 4 * 1024 * 1024,
  /** Interrupted uploads that are remembered. */
  uploadsKnown: 100,
  /** A list of what is there that is longer than this is not believed. */
  journal: 16 * 1024 * 1024,
} as const;

/** Bounds and sizes of transfers. Sizes in bytes, times in milliseconds. */
export const TRANSFER = {
  /** Larger files are sent in parts, as stock clients do (library contract §6.1). */
  singleMaximum: 64 * 1024 * 1024,
  /** A pull asks for ranges of this size; smaller files come in one. */
  range: 16 * 1024 * 1024,
  /** Ranges at once. */
  connections: 3,
  /** Read from disk, hashed or written at once. */
  batch: 1024 * 1024,
  /** How often a part or range is tried before the whole gives up: long enough for a server to restart. */
  attempts: 8,
  backoff: 500,
  longestBackoff: 15_000,
  /** A part of a file that was left by a process of another machine is taken up when it was not touched for this long. */
  abandonedAfter: 60 * 60 * 1000,
} as const;

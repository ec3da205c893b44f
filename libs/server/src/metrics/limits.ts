/** Limits of the port for Prometheus. Times in milliseconds unless they say otherwise. */
export const METRICS = {
  /** A number that takes longer to look up is left out: longer than a readiness check, and Prometheus gives up after ten seconds. */
  readTime: 4_000,
  /** A scraper that sends or takes nothing for so long is cut off. */
  idleTime: 10_000,
  /** Connections at the same time. */
  connections: 16,
  /** Seconds for which a number out of a database is good. */
  databaseSeconds: 15,
  /** The same for numbers that take a walk along an index to count. */
  countedSeconds: 300,
} as const;

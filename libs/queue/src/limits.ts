/** Times and bounds of the queue in one place, in milliseconds unless named otherwise. */
export const QUEUE_LIMITS = {
  /**
   * A worker proves every `lockRenewal` that it still has its job; without that proof for `lock` the job is anybody's.
   * Workers look for such jobs every `stalledCheck`, all with the same interval: the longest one would decide for all.
   */
  lock: 6_000,
  lockRenewal: 1_500,
  stalledCheck: 1_500,
  /** How long a producer waits for Redis before it says that the queue is not there. */
  answer: 3_000,
  /** How long a start waits for a Redis that is not there yet. */
  startPatience: 5_000,
  /** Longest pause between two attempts to connect again. */
  reconnect: 500,
  /** How long a cancellation is remembered for a worker that could not hear it. */
  cancellation: 24 * 60 * 60 * 1000,
  /** Jobs that failed for good stay visible for the service that added them. */
  failedAgeSeconds: 7 * 24 * 60 * 60,
  failedCount: 1_000,
  /** Bytes of a payload as JSON: a payload names the work, it does not carry it. */
  payloadBytes: 1_024,
  /** Bytes of a signal. */
  signalBytes: 4_096,
} as const;

/** Sizes in bytes, times in milliseconds. */
export const STREAM_LIMITS = {
  /** Bytes that are read from disk or handed to a sink at once. */
  batchBytes: 1024 * 1024,
  /** How many batches may wait for the sink before the sender has to wait. */
  waitingBatches: 2,
  /**
   * What may wait of all uploads together before each hands over smaller batches: a client that sends little and then nothing keeps
   * what waits of it until it is cut off.
   */
  waitingTogether: 32 * 1024 * 1024,
  crowdedBatchBytes: 64 * 1024,
  /** Buffers of one download: one is read while one is written and one waits. */
  buffersPerDownload: 3,
  /** Full buffers that all downloads share: of those whose clients have shown that they are quick, and of all others. */
  largeBuffers: 64,
  largeBuffersAtOnce: 16,
  /** What further downloads get, and how many of those there are. */
  smallBuffer: 64 * 1024,
  smallBuffers: 128,
  /** What is left for the rest, and for slow clients: a thousand of them at a time are no attack. */
  tinyBuffer: 8 * 1024,
  /** A client that has taken so much without a pause is quick: more than buffers of the system take for it. */
  quickBytes: 16 * 1024 * 1024,
  /** A client that takes longer for a buffer is slow. */
  slowWrite: 1000,
  /** A client that takes nothing of its download for this long is cut off. */
  sendIdleTime: 60_000,
} as const;

/** Sizes in bytes, times in milliseconds. */
export const STREAM_LIMITS = {
  /** Bytes that are read from disk or handed to a sink at once. */
  batchBytes: 1024 * 1024,
  /** What may wait for the sink before the sender has to wait. */
  waitingBytes: 2 * 1024 * 1024,
  /** Buffers of one download: one is read while one is written and one waits. */
  buffersPerDownload: 3,
  /** Full buffers that all downloads share; further downloads get small ones. */
  pooledBuffers: 64,
  smallBuffer: 64 * 1024,
  /** A client that takes nothing of its download for this long is cut off. */
  sendIdleTime: 60_000,
} as const;

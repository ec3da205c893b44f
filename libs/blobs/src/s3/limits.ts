const MIB = 1024 * 1024;

/** Every bound of the S3 driver. Sizes in bytes, times in milliseconds. */
export const S3_LIMITS = {
  /** What is collected before it is sent: two of these for each part that is arriving. Larger for pieces that would have too many. */
  segment: 8 * MIB,
  /** "Each part must be at least 5 MB in size, except the last part" (S3, CompleteMultipartUpload). */
  smallestPart: 5 * MIB,
  /** Parts of one object: S3 takes 10,000. */
  parts: 10_000,
  /** Bytes that the store is asked to copy at once, and how many such copies at the same time. */
  copy: 256 * MIB,
  copiesAtOnce: 4,
  /** Removals at the same time. */
  removalsAtOnce: 8,
  /** Buffers that are kept for the next piece. */
  pooledBuffers: 8,
  /** Connections to the store. */
  connections: 128,
  /** Attempts of a request, and the pauses between them: doubled each time. About a quarter of a minute together. */
  attempts: 8,
  firstPause: 200,
  longestPause: 5000,
  /** What took so long already is not tried again. */
  patience: 2 * 60_000,
  connectTime: 5000,
  /** Until an answer begins; sending adds a second for each MiB. */
  answerTime: 60_000,
  /** Until an answer begins for which the store has to copy or join bytes. */
  longAnswerTime: 15 * 60_000,
  /** A store that sends nothing of a blob for this long is asked again. */
  idleTime: 60_000,
  /** A read of so many bytes is one question, longer ones are streams, unless somebody says what is read next. */
  smallRead: 64 * 1024,
} as const;

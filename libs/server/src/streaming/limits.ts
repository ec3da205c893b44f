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
  /** What is read from disk at once for clients that are quick. They are sent it from where it was read to. */
  block: 512 * 1024,
  /** Blocks that are on their way to clients. */
  blocks: 64,
  /** Everybody else is given copies of pieces of such a block, which goes back when a piece is not taken at once; so many are cut up at a time. */
  cutBlock: 256 * 1024,
  cutBlocks: 32,
  /** What is read at once for a client that is slow: when it takes something at last, it takes little. */
  slowBlock: 64 * 1024,
  /** A piece, and how many of them are on their way. */
  piece: 64 * 1024,
  pieces: 128,
  /** What is left for the rest, and for slow clients: a thousand of them at a time are no attack. */
  smallPiece: 16 * 1024,
  /** Bytes of buffers of one length that are kept to be used again. */
  kept: 16 * 1024 * 1024,
  /** A client that takes so much in such a time is quick. */
  quickBytes: 1024 * 1024,
  quickTime: 2000,
  /** A client that takes longer for a block or a piece is slow. */
  slowWrite: 1000,
  /** What the system takes of a download and cannot send yet; of one to a client that is quick as much as it likes. */
  unsent: 128 * 1024,
  /** A client that takes nothing of its download for this long is cut off. */
  sendIdleTime: 60_000,
} as const;

/** Every bound of the trail in one place. Times in milliseconds. */
export const TRAIL_LIMITS = {
  /** Entries that are chained in one commit: each is two writes, and the head is one (the document port takes 500). */
  batch: 200,
  /** How long after a write the chainer looks, and how often while there is something. With its own commit this stays below a second. */
  busy: 400,
  /** A commit that began with the write of an entry has ended after this time: until then the chainer looks again. */
  settle: 10_000,
  /** How often it looks otherwise: another replica may have ended with entries in the inbox. */
  idle: 60_000,
  /** Batches that are lost to others in a row. */
  attempts: 50,
  /** At most one signed head in this time. */
  headEvery: 1_000,
  /** Documents that one page of a list reads. */
  scanned: 1_000,
  /** Bytes of a line of the file of heads. Longer ones are none. */
  headLine: 4_096,
  /** Bytes of that file that are read at once. */
  headChunk: 256 * 1024,
  /** An entry without a signed head behind it is a fault when it is older than this: heads follow within a second. */
  headLate: 60_000,
} as const;

/** Every bound of the blob store in one place; the checks and the tests read them from here. */
export const BLOB_LIMITS = {
  /** Bytes of one blob: as much as ext4 and S3 (10,000 parts of 512 MiB) both take. */
  blobBytes: 5 * 1024 ** 4,
  /** Parts of one upload: the limit of S3. */
  parts: 10_000,
  /** Bytes handed to the disk and to the hash at once. */
  batchBytes: 1024 * 1024,
  /** An upload starts only while this much stays free on the disk: databases and logs need to go on. */
  reserveBytes: 64 * 1024 * 1024,
  /** Written bytes after which the disk is asked to begin writing them back, so that the last flush is short. */
  flushEvery: 32 * 1024 * 1024,
  /** Blobs of one list, as S3 bounds it. */
  listed: 1000,
} as const;

export type { BlobListing, BlobReader } from './driver.js';
export { BLOB_LIMITS } from './limits.js';
export * from './open.js';
export { PartWriter } from './partWriter.js';
export { BlobStore, type IncomingBytes, type SweepOptions } from './store.js';
export { BlobWriter } from './streamWriter.js';
export { BlobUpload, partCount, type UploadShape } from './upload.js';
export type { S3Settings } from './s3/settings.js';

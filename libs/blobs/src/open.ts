import { DomainError, expected, messageOf, readS3Url, S3_URL_FORM } from '#libs/core';
import { isAbsolute } from 'node:path';
import type { S3Settings } from './s3/settings.js';
import { BlobStore } from './store.js';

/** Keeps blobs in memory: for tests. */
export const TEMPORARY_BLOBS = 'memory:';

/**
 * Opens the blob store of a service: `file:<absolute folder>`, `s3://<bucket>/<prefix>` or {@link TEMPORARY_BLOBS}.
 * @param s3 how to reach the object store, for the second form
 * @throws DomainError with one sentence for whatever is in the way
 */
export async function openBlobs(url: string, s3?: S3Settings): Promise<BlobStore> {
  if (url === TEMPORARY_BLOBS) {
    const { MemoryBlobDriver } = await import('./memoryDriver.js');
    return new BlobStore(new MemoryBlobDriver());
  }
  if (url.startsWith('s3:')) return openStore(url, s3);
  const folder = url.startsWith('file:') ? url.slice('file:'.length).replace(/^\/\/(?=\/)/, '') : '';
  if (!isAbsolute(folder))
    throw new DomainError(
      'bad_request',
      expected("'file:' and an absolute folder", 'the address of the blobs', url),
      {
        reason: 'bad_blobs_url',
      },
    );
  const { FileBlobDriver } = await import('./fileDriver.js');
  try {
    return new BlobStore(await FileBlobDriver.open(folder));
  } catch (error) {
    throw new DomainError('unavailable', `The blob folder ${folder} cannot be used: ${messageOf(error)}`, {
      reason: 'bad_blobs_folder',
      remedy: 'Make a folder that the service may write, on a local disk, or set SCS_BLOBS_URL.',
      cause: error,
    });
  }
}

async function openStore(url: string, settings: S3Settings | undefined): Promise<BlobStore> {
  const place = readS3Url(url);
  if (place === undefined || settings === undefined)
    throw new DomainError(
      'bad_request',
      expected(`${S3_URL_FORM}, with a key`, 'the address of the blobs', url),
      { reason: 'bad_blobs_url' },
    );
  // Loaded where it is needed: the library behind it is large.
  const { S3BlobDriver } = await import('./s3/s3Driver.js');
  return new BlobStore(await S3BlobDriver.open(place, settings));
}

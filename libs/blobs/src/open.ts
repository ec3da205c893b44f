import { DomainError, expected, messageOf } from '#libs/core';
import { isAbsolute } from 'node:path';
import { BlobStore } from './store.js';

/** Keeps blobs in memory: for tests. */
export const TEMPORARY_BLOBS = 'memory:';

/**
 * Opens the blob store of a service: `file:<absolute folder>` or {@link TEMPORARY_BLOBS}.
 * @throws DomainError with one sentence for whatever is in the way
 */
export async function openBlobs(url: string): Promise<BlobStore> {
  if (url === TEMPORARY_BLOBS) {
    const { MemoryBlobDriver } = await import('./memoryDriver.js');
    return new BlobStore(new MemoryBlobDriver());
  }
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

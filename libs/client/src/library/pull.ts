import type { LibraryImage } from '#libs/contract';
import { type Digest, parseDigest } from '#libs/core';
import { downloadFile, type DownloadOptions, type DownloadProgress } from '../transfer/download.js';
import type { LibraryClient } from './libraryClient.js';

export type PullProgress = DownloadProgress;

export interface PullOptions extends Pick<
  DownloadOptions,
  'destination' | 'overwrite' | 'mode' | 'connections' | 'onProgress' | 'onRetry' | 'onKept' | 'signal'
> {
  /** As {@link LibraryClient.image} has found it. */
  readonly image: LibraryImage;
  /** `entity/collection/container`, as asked for. */
  readonly path: string;
}

/**
 * Pulls an image to a file, as {@link downloadFile} does. The hash is always checked.
 * @throws DomainError `unprocessable` (`wrong_digest`) when the library sends other bytes than it says, `out_of_space`
 */
export async function pullImage(
  { http }: LibraryClient,
  { image, path, ...options }: PullOptions,
): Promise<{ digest: Digest; size: number }> {
  const { size } = image;
  const digest = parseDigest(image.hash);
  // By its hash: a tag that moves meanwhile changes nothing.
  const url = `/v1/imagefile/${path}:${digest}`;
  await downloadFile({ ...options, http, url, digest, size, sender: 'The library' });
  return { digest, size };
}

import { statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { LibraryImage } from '#libs/contract';
import { type Digest, DomainError, expected, parseDigest, refuseExisting, systemCode } from '#libs/core';
import type { LibraryClient } from './libraryClient.js';
import { TRANSFER } from './limits.js';
import { PartialFile, type Placing, removePlaced } from './partialFile.js';
import { ContentChanged, downloadRanges } from './ranges.js';
import type { RetryOptions } from './retry.js';

export interface PullProgress {
  /** `checking`: everything is there, and its hash is computed. */
  readonly phase: 'receiving' | 'checking';
  readonly done: number;
  readonly total: number;
}

export interface PullOptions {
  /** As {@link LibraryClient.image} has found it. */
  readonly image: LibraryImage;
  /** `entity/collection/container`, as asked for. */
  readonly path: string;
  readonly destination: string;
  readonly overwrite?: boolean;
  /** Mode of the file. */
  readonly mode?: number;
  /** Ranges at once; {@link TRANSFER.connections} by default. */
  readonly connections?: number | undefined;
  readonly onProgress?: (progress: PullProgress) => void;
  readonly onRetry?: RetryOptions['onRetry'];
  /** Told, when the pull fails, how many bytes are kept for the next attempt. */
  readonly onKept?: (bytes: number) => void;
  readonly signal?: AbortSignal;
}

/**
 * Pulls an image to a file that appears whole, checked and durable, or not at all. Ranges come at once and each is repeated
 * until it is there; what a pull that was interrupted or killed has left is used. The hash is always checked.
 * @throws DomainError `unprocessable` (`wrong_digest`) when the library sends other bytes than it says, `out_of_space`
 */
export async function pullImage(
  { http }: LibraryClient,
  options: PullOptions,
): Promise<{ digest: Digest; size: number }> {
  const { image, path, destination, overwrite = false, signal } = options;
  const { size } = image;
  const digest = parseDigest(image.hash);
  if (size <= 0)
    throw new DomainError('unavailable', expected('a size above 0', 'the image', size), {
      reason: 'bad_answer',
    });
  await withPartialFile({ destination, digest, size }, { ...options, overwrite }, async (file) => {
    const download = (): Promise<void> =>
      downloadRanges({
        http,
        // By its hash: a tag that moves meanwhile changes nothing.
        url: `/v1/imagefile/${path}:${digest}`,
        digest,
        size,
        file,
        connections: options.connections ?? TRANSFER.connections,
        retry: { signal, onRetry: options.onRetry },
        onProgress: (done) => options.onProgress?.({ phase: 'receiving', done, total: size }),
      });
    const check = async (): Promise<Digest> => {
      let done = 0;
      return file.digest(signal, (count) => {
        options.onProgress?.({ phase: 'checking', done: (done += count), total: size });
      });
    };
    const resumed = file.present > 0;
    await download().catch(async (error: unknown) => {
      if (!(error instanceof ContentChanged)) throw error;
      await file.restart();
      await download();
    });
    let found = await check();
    if (found !== digest && resumed) {
      // What was left from before may be damaged; what comes now is not.
      await file.restart();
      await download();
      found = await check();
    }
    if (found !== digest) {
      await file.restart();
      throw new DomainError('unprocessable', expected(digest, 'the hash of the pulled image', found), {
        reason: 'wrong_digest',
        remedy: 'The library or something on the way has changed the image: do not use it.',
      });
    }
  });
  return { digest, size };
}

/**
 * Copies a file whose hash is known to be right, for example out of a cache: it appears whole or not at all, and nothing stays of a
 * copy that was killed when it is made again.
 * @throws DomainError `conflict` when something is there that may not be replaced, `out_of_space`
 */
export async function placeCopy(
  source: string,
  wanted: { readonly destination: string; readonly digest: Digest; readonly size: number },
  placing: Placing,
): Promise<void> {
  await withPartialFile(wanted, placing, (file) => file.copyFrom(source));
}

/** Fills a partial file and puts it in its place. What can be of use to the next attempt stays, and nothing else. */
async function withPartialFile(
  wanted: { readonly destination: string; readonly digest: Digest; readonly size: number },
  placing: Placing & Pick<PullOptions, 'onKept'>,
  fill: (file: PartialFile) => Promise<void>,
): Promise<void> {
  const { destination } = wanted;
  await removePlaced(destination);
  await refuseExisting(destination, placing);
  try {
    const file = await PartialFile.open(wanted);
    try {
      await requireSpace(destination, wanted.size - file.present);
      await fill(file);
      await file.place(placing);
    } catch (error) {
      const useless = isFull(error) || (error instanceof DomainError && error.code === 'conflict');
      const kept = useless ? 0 : file.present;
      await (kept > 0 ? file.keep() : file.remove());
      if (kept > 0) placing.onKept?.(kept);
      throw error;
    }
  } catch (error) {
    throw isFull(error) ? outOfSpace(destination, wanted.size, error) : error;
  }
}

/** Asked before a transfer and not in its middle. Quotas of the system are met on the way. */
async function requireSpace(destination: string, bytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(dirname(destination));
  if (bavail * bsize < bytes) throw outOfSpace(destination, bytes);
}

function isFull(error: unknown): boolean {
  return ['ENOSPC', 'EDQUOT', 'EFBIG'].includes(systemCode(error) ?? '');
}

function outOfSpace(destination: string, bytes: number, cause?: unknown): DomainError {
  return new DomainError(
    'out_of_space',
    `No space left in ${dirname(destination)} for an image of ${bytes} bytes`,
    {
      reason: 'disk_full',
      remedy: 'Remove something there, or choose a folder on another disk.',
      ...(cause === undefined ? {} : { cause }),
    },
  );
}

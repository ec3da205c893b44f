import { createHash, randomBytes } from 'node:crypto';
import { chmod, type FileHandle, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { type Digest, digestFromHex, DomainError, expected, refuseExisting, systemCode } from '#libs/core';
import { TRANSFER } from './limits.js';
import { isPlaced, PartialFile, type Placing, removePlaced } from './partialFile.js';
import { ContentChanged, downloadRanges, type Requester } from './ranges.js';
import { persist, type RetryOptions } from './retry.js';

export interface DownloadProgress {
  /** `checking`: everything is there, and its hash is computed. */
  readonly phase: 'receiving' | 'checking';
  readonly done: number;
  readonly total: number;
}

export interface DownloadOptions {
  readonly http: Requester;
  readonly url: string;
  /** Bytes. */
  readonly size: number;
  /** Hash of the content; undefined where nobody tells it in advance. */
  readonly digest: Digest | undefined;
  /**
   * Without a digest: text that is another one when the content at the server is. Undefined when the server says nothing of the
   * kind: then nothing is gone on with, since nobody could tell parts of two files from those of one.
   */
  readonly version?: string | undefined;
  /** Who sends, at the beginning of a sentence: `The library`. */
  readonly sender: string;
  readonly destination: string;
  readonly overwrite?: boolean;
  /** Mode of the file. */
  readonly mode?: number;
  /** Ranges at once; {@link TRANSFER.connections} by default. */
  readonly connections?: number | undefined;
  /** Looks at the whole file before it is put in its place; what it throws ends the download, and nothing stays. */
  readonly inspect?: (file: FileHandle) => Promise<void>;
  readonly onProgress?: ((progress: DownloadProgress) => void) | undefined;
  readonly onRetry?: RetryOptions['onRetry'];
  /** Told, when the download fails, how many bytes are kept for the next attempt. */
  readonly onKept?: ((bytes: number) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Fetches a file that appears whole, checked and durable, or not at all. Ranges come at once and each is repeated
 * until it is there; what a download that was interrupted or killed has left is used. A hash that is known is always checked; a file
 * of our own that is in its place already and has it stays.
 * @returns the hash of what is in place
 * @throws DomainError `unprocessable` (`wrong_digest`) when other bytes come than were named, `out_of_space`
 */
export async function downloadFile(options: DownloadOptions): Promise<Digest> {
  const { size, digest, destination, overwrite = false, signal } = options;
  if (size <= 0)
    throw new DomainError('unavailable', expected('a size above 0', 'the image', size), {
      reason: 'bad_answer',
    });
  const wanted = { destination, digest: digest ?? nameOf(options), size };
  // A download that was killed when it was as good as done, or that is made again for nothing.
  if (overwrite && digest !== undefined && (await isPlaced(wanted, signal, checking(options)))) {
    await removePlaced(destination);
    if (options.mode !== undefined) await chmod(destination, options.mode);
    return digest;
  }
  return withPartialFile(wanted, { ...options, overwrite, keep: !isFleeting(options) }, async (file) => {
    const found =
      digest === undefined ? await fillUnknown(options, file) : await fillKnown(options, digest, file);
    await inspected(options, file);
    return found;
  });
}

/** Whether the server gives nothing by which what was fetched can be gone on with. */
function isFleeting({ digest, version }: DownloadOptions): boolean {
  return digest === undefined && version === undefined;
}

/** What stands in the place of a hash that nobody knows yet. */
function nameOf({ url, version }: DownloadOptions): Digest {
  if (version === undefined) return digestFromHex(randomBytes(32).toString('hex'));
  return digestFromHex(createHash('sha256').update(`${url}\n${version}`).digest('hex'));
}

function checking({ size, onProgress }: DownloadOptions): (count: number) => void {
  let done = 0;
  return (count) => onProgress?.({ phase: 'checking', done: (done += count), total: size });
}

async function fillKnown(options: DownloadOptions, digest: Digest, file: PartialFile): Promise<Digest> {
  const check = (): Promise<Digest> => file.digest(options.signal, checking(options));
  const resumed = file.present > 0;
  await fetchMissing(options, file);
  let found = await check();
  if (found !== digest && resumed) {
    // What was left from before may be damaged; what comes now is not.
    await file.restart();
    await fetchMissing(options, file);
    found = await check();
  }
  if (found === digest) return found;
  await file.restart();
  throw new DomainError('unprocessable', expected(digest, 'the hash of the pulled image', found), {
    reason: 'wrong_digest',
    remedy: `${options.sender} or something on the way has changed the image: do not use it.`,
  });
}

async function fillUnknown(options: DownloadOptions, file: PartialFile): Promise<Digest> {
  if (isFleeting(options)) {
    const retry = { signal: options.signal, onRetry: options.onRetry };
    await persist(async () => {
      await file.restart();
      await fetchRanges({ ...options, connections: 1 }, file, { signal: options.signal, attempts: 1 });
    }, retry);
  } else await fetchMissing(options, file);
  return file.digest(options.signal, checking(options));
}

async function fetchMissing(options: DownloadOptions, file: PartialFile): Promise<void> {
  const retry = { signal: options.signal, onRetry: options.onRetry };
  await fetchRanges(options, file, retry).catch(async (error: unknown) => {
    if (!(error instanceof ContentChanged)) throw error;
    // Of a version that was named in advance nothing more can come.
    if (options.digest === undefined) {
      await file.restart();
      throw error;
    }
    await file.restart();
    await fetchRanges(options, file, retry);
  });
}

async function fetchRanges(options: DownloadOptions, file: PartialFile, retry: RetryOptions): Promise<void> {
  const { http, url, digest, size, onProgress, connections = TRANSFER.connections } = options;
  await downloadRanges({
    http,
    url,
    digest,
    size,
    sender: options.sender,
    whole: isFleeting(options),
    file,
    connections,
    retry,
    onProgress: (done) => onProgress?.({ phase: 'receiving', done, total: size }),
  });
}

async function inspected({ inspect }: DownloadOptions, file: PartialFile): Promise<void> {
  try {
    await inspect?.(file.handle);
  } catch (error) {
    await file.restart();
    throw error;
  }
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
async function withPartialFile<T>(
  wanted: { readonly destination: string; readonly digest: Digest; readonly size: number },
  placing: Placing & Pick<DownloadOptions, 'onKept'> & { readonly keep?: boolean },
  fill: (file: PartialFile) => Promise<T>,
): Promise<T> {
  const { destination } = wanted;
  await removePlaced(destination);
  await refuseExisting(destination, placing);
  try {
    const file = await PartialFile.open(wanted);
    try {
      await requireSpace(destination, wanted.size - file.present);
      const result = await fill(file);
      await file.place(placing);
      return result;
    } catch (error) {
      const useless =
        placing.keep === false ||
        isFull(error) ||
        (error instanceof DomainError && error.code === 'conflict');
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

import { createHash } from 'node:crypto';
import { DOWNLOAD_PROOF_HEADER, type LibraryImage } from '#libs/contract';
import {
  buffersPassed,
  type ByteRange,
  type Digest,
  digestFromHex,
  DomainError,
  expected,
  parseContentRange,
  parseDigest,
  refuseExisting,
  splitIntoRanges,
} from '#libs/core';
import type { HttpClient } from '../http.js';
import type { LibraryClient } from './libraryClient.js';
import type { Answer } from '../http/answer.js';
import { TRANSFER } from './limits.js';
import { PartialFile } from './partialFile.js';
import { persist, type RetryOptions } from './retry.js';

export interface PullOptions {
  /** As {@link LibraryClient.image} has found it. */
  readonly image: LibraryImage;
  /** `entity/collection/container`, as asked for. */
  readonly path: string;
  readonly destination: string;
  readonly overwrite?: boolean;
  /** Ranges at once; three by default. */
  readonly connections?: number;
  readonly onProgress?: (done: number, total: number) => void;
  readonly onRetry?: RetryOptions['onRetry'];
  readonly signal?: AbortSignal;
}

/** One pull: where the bytes come from and where they go. */
interface Pull {
  readonly http: HttpClient;
  readonly url: string;
  readonly size: number;
  readonly file: PartialFile;
  readonly retry: RetryOptions;
  readonly onBytes: (count: number) => void;
  /** What a library of ours said, and is told with the next range: the pull was begun while its token was good. */
  proof: string | undefined;
}

/**
 * Pulls an image to a file that appears whole, checked and durable, or not at all. Ranges come at once and each is repeated
 * until it is there; what a pull that was interrupted has left is used. The hash is always checked.
 * @throws DomainError `unprocessable` (`wrong_digest`) when the library sends other bytes than it says
 */
export async function pullImage(
  { http }: LibraryClient,
  options: PullOptions,
): Promise<{ digest: Digest; size: number }> {
  const { image, path, destination, overwrite = false, signal } = options;
  const digest = parseDigest(image.hash);
  if (image.size <= 0)
    throw new DomainError('unavailable', expected('a size above 0', 'the image', image.size), {
      reason: 'bad_answer',
    });
  await refuseExisting(destination, { overwrite });
  const file = await PartialFile.open({ destination, hash: digest, size: image.size });
  try {
    const resumed = file.done.size > 0;
    // By its hash: a tag that moves meanwhile changes nothing.
    const url = `/v1/imagefile/${path}:${digest}`;
    const run = () => download({ http, url, size: image.size, file }, options);
    await run();
    let found = await hashOf(file, image.size, signal);
    if (found !== digest && resumed) {
      // What was left from before may be damaged; what comes now is not.
      await file.restart();
      await run();
      found = await hashOf(file, image.size, signal);
    }
    if (found !== digest) {
      await file.restart();
      throw new DomainError('unprocessable', expected(digest, 'the hash of the pulled image', found), {
        reason: 'wrong_digest',
        remedy: 'The library or something on the way has changed the image: do not use it.',
      });
    }
    await file.place(destination, { overwrite });
    return { digest, size: image.size };
  } catch (error) {
    // What can be of use to the next attempt stays.
    await (file.done.size > 0 ? file.keep() : file.remove());
    throw error;
  }
}

async function download(
  source: Pick<Pull, 'http' | 'url' | 'size' | 'file'>,
  options: PullOptions,
): Promise<void> {
  const { size, file } = source;
  const ranges = splitIntoRanges(size, TRANSFER.range);
  const missing = ranges
    .map((range, index) => ({ range, index }))
    .filter(({ index }) => !file.done.has(index));
  let done = size - missing.reduce((sum, { range }) => sum + lengthOf(range), 0);
  const stop = new AbortController();
  const signal = options.signal === undefined ? stop.signal : AbortSignal.any([options.signal, stop.signal]);
  const job: Pull = {
    ...source,
    retry: { signal, onRetry: options.onRetry },
    onBytes: (count) => options.onProgress?.((done += count), size),
    proof: undefined,
  };
  // The first answer says whether the server knows ranges; until then the other connections wait.
  const ranged = Promise.withResolvers<boolean>();
  const worker = async (_: unknown, number: number): Promise<void> => {
    if (number > 0 && !(await ranged.promise)) return;
    for (let next = missing.shift(); next; next = missing.shift()) {
      const outcome = await pullRange(job, next.range, ranged.resolve);
      if (outcome === 'whole') return;
      await file.add(next.index);
    }
    ranged.resolve(true);
  };
  const workers = Array.from({ length: options.connections ?? TRANSFER.connections }, worker);
  try {
    await Promise.all(workers);
  } finally {
    ranged.resolve(false);
    stop.abort(new DomainError('unavailable', 'Another part of the pull has failed'));
    await Promise.allSettled(workers);
  }
}

/**
 * One range, from wherever the last attempt ended; or everything, when the server ignores ranges and sends the whole file.
 * @param onAnswer told with every answer whether it is a range
 */
async function pullRange(
  job: Pull,
  range: ByteRange,
  onAnswer: (ranged: boolean) => void,
): Promise<'range' | 'whole'> {
  let at = range.start;
  let end = range.end;
  await persist(async (progressed) => {
    const answer = await job.http.request({
      url: job.url,
      headers: {
        range: `bytes=${at}-${range.end}`,
        ...(job.proof === undefined ? {} : { [DOWNLOAD_PROOF_HEADER]: job.proof }),
      },
      accept: [200, 206],
      repeatable: false,
      ...(job.retry.signal === undefined ? {} : { signal: job.retry.signal }),
    });
    job.proof = answer.header(DOWNLOAD_PROOF_HEADER) ?? job.proof;
    const whole = answer.status === 200;
    if (whole) end = job.size - 1;
    else checkRange(job, { start: at, end: range.end }, answer);
    onAnswer(!whole);
    const place = { skip: whole ? at : 0, start: at, end };
    await store(job, place, answer, (count) => {
      at += count;
      progressed();
      job.onBytes(count);
    });
    if (at <= end)
      throw new DomainError('unavailable', `The answer ended at byte ${at} of ${end + 1}`, {
        reason: 'cut_off',
      });
  }, job.retry);
  return end === range.end && at === range.end + 1 ? 'range' : 'whole';
}

/** @throws DomainError when the answer is of another range: its bytes would end up in the wrong place */
function checkRange(job: Pull, wanted: ByteRange, answer: Answer): void {
  const header = answer.header('content-range');
  const got = parseContentRange(header);
  if (got?.start === wanted.start && got.end === wanted.end && got.size === job.size) return;
  throw new DomainError(
    'unavailable',
    expected(`bytes ${wanted.start}-${wanted.end}/${job.size}`, 'the range of an answer', header),
    { reason: 'bad_answer' },
  );
}

/** Writes the wanted bytes of an answer in batches. `onBytes` is told what has been written. */
async function store(
  job: Pull,
  place: ByteRange & { readonly skip: number },
  answer: Answer,
  onBytes: (count: number) => void,
): Promise<void> {
  let { skip, start: position } = place;
  let batch: Buffer[] = [];
  let waiting = 0;
  const flush = async (): Promise<void> => {
    if (waiting === 0) return;
    const [chunks, count] = [batch, waiting];
    batch = [];
    waiting = 0;
    await writeAll(job.file, chunks, position);
    buffersPassed(count);
    position += count;
    onBytes(count);
  };
  try {
    for await (const chunk of answer.chunks()) {
      const useful = skip >= chunk.length ? chunk.subarray(0, 0) : chunk.subarray(skip);
      skip -= chunk.length - useful.length;
      waiting += useful.length;
      if (position + waiting > place.end + 1)
        throw new DomainError('unavailable', 'The answer is longer than it said', { reason: 'bad_answer' });
      if (useful.length > 0) batch.push(useful);
      if (waiting >= TRANSFER.batch) await flush();
    }
  } finally {
    await flush();
  }
}

async function writeAll(file: PartialFile, chunks: readonly Buffer[], start: number): Promise<void> {
  const total = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
  const { bytesWritten } = await file.handle.writev(chunks, start);
  // A write may be short, on a nearly full disk for example.
  if (bytesWritten < total)
    await writeAll(file, [Buffer.concat(chunks).subarray(bytesWritten)], start + bytesWritten);
}

async function hashOf(file: PartialFile, size: number, signal: AbortSignal | undefined): Promise<Digest> {
  const hash = createHash('sha256');
  const buffer = Buffer.allocUnsafe(Math.min(TRANSFER.batch, size));
  for (let at = 0; at < size;) {
    signal?.throwIfAborted();
    const { bytesRead } = await file.handle.read(buffer, 0, Math.min(buffer.length, size - at), at);
    if (bytesRead === 0) break;
    hash.update(buffer.subarray(0, bytesRead));
    at += bytesRead;
  }
  return digestFromHex(hash.digest('hex'));
}

function lengthOf({ start, end }: ByteRange): number {
  return end - start + 1;
}

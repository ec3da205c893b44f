import { DOWNLOAD_PROOF_HEADER } from '#libs/contract';
import {
  buffersPassed,
  type ByteRange,
  type Digest,
  DomainError,
  expected,
  parseContentRange,
} from '#libs/core';
import type { HttpClient } from '../http.js';
import type { Answer } from '../http/answer.js';
import { TRANSFER } from './limits.js';
import type { PartialFile } from './partialFile.js';
import { persist, type RetryOptions } from './retry.js';

/** Who is asked for bytes: a client of one server, perhaps one that adds credentials of its own. */
export type Requester = Pick<HttpClient, 'request'>;

/** Where the bytes of a pull come from and where they go. */
export interface RangedDownload {
  readonly http: Requester;
  readonly url: string;
  /** Hash of the whole, where it is known. */
  readonly digest: Digest | undefined;
  readonly size: number;
  /** Who sends, at the beginning of a sentence. */
  readonly sender: string;
  /** Everything with one request: nothing would tell whether two answers are parts of the same. */
  readonly whole?: boolean;
  readonly file: PartialFile;
  /** Ranges at once. */
  readonly connections: number;
  readonly retry: RetryOptions;
  /** Told how many bytes of the whole are there. */
  readonly onProgress: (done: number) => void;
}

/** Thrown when the server has other bytes under the address than before: what is there is a part of something else. */
export class ContentChanged extends DomainError {
  constructor() {
    super('unavailable', 'The file changed on the server while it was pulled', { reason: 'changed' });
  }
}

/**
 * Fetches what is missing of a file, in ranges and several at once. The first answer says whether the server knows ranges; if it
 * sends the whole file instead, that is taken.
 * @throws ContentChanged when nothing of what is there can be used; what the last attempt of a range threw
 */
export async function downloadRanges(download: RangedDownload): Promise<void> {
  const missing = download.file.missing(download.whole === true ? download.size : TRANSFER.range);
  const stop = new AbortController();
  const { signal: outer } = download.retry;
  const signal = outer === undefined ? stop.signal : AbortSignal.any([outer, stop.signal]);
  const job: Job = {
    ...download,
    retry: { ...download.retry, signal },
    done: download.file.present,
    proof: undefined,
  };
  download.onProgress(job.done);
  const ranged = Promise.withResolvers<boolean>();
  const worker = async (_: unknown, number: number): Promise<void> => {
    // Until it is known that ranges are offered, the other connections wait.
    if (number > 0 && !(await ranged.promise)) return;
    for (let next = missing.shift(); next; next = missing.shift())
      if ((await fetchRange(job, next, ranged.resolve)) === 'whole') return;
    ranged.resolve(true);
  };
  const workers = Array.from({ length: download.connections }, worker);
  try {
    await Promise.all(workers);
  } finally {
    ranged.resolve(false);
    stop.abort(new DomainError('unavailable', 'Another part of the pull has failed'));
    await Promise.allSettled(workers);
  }
}

interface Job extends RangedDownload {
  /** Bytes of the whole that are there. */
  done: number;
  /** What a library of ours said, and is told with the next range: the pull was begun while its token was good. */
  proof: string | undefined;
}

/**
 * One range, from wherever the last attempt ended; or everything, when the server ignores ranges and sends the whole file.
 * @param onAnswer told with every answer whether it is a range
 */
async function fetchRange(
  job: Job,
  range: ByteRange,
  onAnswer: (ranged: boolean) => void,
): Promise<'range' | 'whole'> {
  let at = range.start;
  let { end } = range;
  await persist(async (progressed) => {
    const answer = await ask(job, { start: at, end });
    const whole = answer.status === 200;
    if (whole) end = job.size - 1;
    else checkRange(job, { start: at, end }, answer);
    onAnswer(!whole);
    const place = { skip: whole ? at : 0, start: at, end };
    await store(job, place, answer, (count) => {
      at += count;
      job.done += count;
      progressed();
      job.onProgress(Math.min(job.done, job.size));
    });
    if (at <= end)
      throw new DomainError('unavailable', `The answer ended at byte ${at} of ${end + 1}`, {
        reason: 'cut_off',
      });
  }, job.retry);
  return end === range.end ? 'range' : 'whole';
}

async function ask(job: Job, { start, end }: ByteRange): Promise<Answer> {
  const { etag } = job.file;
  const answer = await job.http.request({
    url: job.url,
    headers: {
      ...(job.whole === true ? {} : { range: `bytes=${start}-${end}` }),
      // "If the representation is unchanged, send me the part …; otherwise, send me the entire representation" (RFC 9110 §13.1.5).
      ...(etag === undefined ? {} : { 'if-range': etag }),
      ...(job.proof === undefined ? {} : { [DOWNLOAD_PROOF_HEADER]: job.proof }),
    },
    accept: [200, 206],
    repeatable: false,
    ...(job.retry.signal === undefined ? {} : { signal: job.retry.signal }),
  });
  try {
    await checkValidator(job, answer);
  } catch (error) {
    await answer.discard();
    throw error;
  }
  job.proof = answer.header(DOWNLOAD_PROOF_HEADER) ?? job.proof;
  return answer;
}

/** Strong validators alone say that two answers are parts of the same bytes (RFC 9110 §8.8.1). */
async function checkValidator(job: Job, answer: Answer): Promise<void> {
  const { digest, file, sender } = job;
  // A library of ours names the bytes by their hash: no need to fetch others before it is seen that they are others.
  const etag = strongEtag(answer);
  if (digest !== undefined && etag !== undefined && OWN_ETAG.test(etag) && etag !== `"${digest}"`)
    throw new DomainError('unprocessable', expected(digest, 'the hash of the pulled image', etag), {
      reason: 'wrong_digest',
      remedy: `${sender} or something on the way offers another image: do not use it.`,
    });
  // Where a hash decides in the end, a date is not needed; where none does, it is better than nothing.
  const validator = etag ?? (digest === undefined ? modificationDate(answer) : undefined);
  if (validator === undefined) return;
  if (file.etag === undefined) await file.setEtag(validator);
  else if (file.etag !== validator) throw new ContentChanged();
}

const OWN_ETAG = /^"sha256\.[0-9a-f]{64}"$/;

/** The `ETag` of an answer when it is a strong one. */
export function strongEtag(answer: Answer): string | undefined {
  const etag = answer.header('etag');
  return etag !== undefined && /^"[\x21\x23-\x7E]{0,200}"$/.test(etag) ? etag : undefined;
}

/** The `Last-Modified` of an answer, as it stands there: `If-Range` and `If-Modified-Since` want it back letter by letter. */
export function modificationDate(answer: Answer): string | undefined {
  const date = answer.header('last-modified');
  return date !== undefined && /^[A-Za-z]{3}, [\w :]{10,40}$/.test(date) ? date : undefined;
}

/** @throws DomainError when the answer is of another range: its bytes would end up in the wrong place */
function checkRange(job: Job, wanted: ByteRange, answer: Answer): void {
  const header = answer.header('content-range');
  const got = parseContentRange(header);
  if (got?.start === wanted.start && got.end === wanted.end && got.size === job.size) return;
  throw new DomainError(
    'unavailable',
    expected(`bytes ${wanted.start}-${wanted.end}/${job.size}`, 'the range of an answer', header),
    { reason: 'bad_answer' },
  );
}

/** Writes the wanted bytes of an answer in batches, and notes down what is there. `onBytes` is told what has been written. */
async function store(
  job: Job,
  place: ByteRange & { readonly skip: number },
  answer: Answer,
  onBytes: (count: number) => void,
): Promise<void> {
  let { skip, start: position } = place;
  let noted = position;
  let batch: Buffer[] = [];
  let waiting = 0;
  const note = async (): Promise<void> => {
    if (position === noted) return;
    const range = { start: noted, end: position - 1 };
    noted = position;
    await job.file.add(range);
  };
  const flush = async (): Promise<void> => {
    if (waiting === 0) return;
    const [chunks, count] = [batch, waiting];
    batch = [];
    waiting = 0;
    await writeAll(job.file, chunks, position);
    buffersPassed(count);
    position += count;
    onBytes(count);
    if (position - noted >= TRANSFER.noteEvery) await note();
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
    // Also what came before a failure is of use.
    await flush();
    await note();
  }
}

async function writeAll(file: PartialFile, chunks: readonly Buffer[], start: number): Promise<void> {
  const total = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
  const { bytesWritten } = await file.handle.writev(chunks, start);
  // A write may be short, on a nearly full disk for example.
  if (bytesWritten < total)
    await writeAll(file, [Buffer.concat(chunks).subarray(bytesWritten)], start + bytesWritten);
}

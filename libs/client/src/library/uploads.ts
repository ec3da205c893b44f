import type { Readable } from 'node:stream';
import {
  CompletionAnswer,
  MultipartAnswer,
  PartAnswer,
  UploadAnswer,
  type UploadCompletion,
} from '#libs/contract';
import { type ByteRange, type Digest, DomainError, hexOf, splitIntoRanges } from '#libs/core';
import type { HttpClient } from '../http.js';
import { ResponseError } from '../http/failures.js';
import { TRANSFER } from './limits.js';
import { persist, type RetryOptions } from './retry.js';
import type { SourceFile } from './sourceFile.js';

export interface UploadJob {
  readonly http: HttpClient;
  readonly image: string;
  readonly digest: Digest;
  readonly source: SourceFile;
  /** Bytes that the server has, so far. */
  readonly onSent: (bytes: number) => void;
  readonly retry: RetryOptions;
}

/** In one request, for servers of the first protocol (library contract §5 no. 20). */
export async function uploadRaw({ http, image, source, onSent, retry }: UploadJob): Promise<undefined> {
  await persist(async () => {
    let sent = 0;
    const answer = await http.request({
      method: 'POST',
      url: `/v1/imagefile/${image}`,
      headers: { 'content-length': String(source.size) },
      body: source.stream(0, source.size, (count) => onSent((sent += count))),
      accept: [200],
      headersTimeout: 0,
      ...signalOf(retry),
    });
    await answer.discard();
  }, retry);
  return undefined;
}

/** In one piece to a signed address (nos. 21–23). */
export async function uploadSingle(job: UploadJob): Promise<UploadCompletion | undefined> {
  const { http, image, digest, source, onSent, retry } = job;
  const announcement = { filesize: source.size, md5sum: '', sha256sum: hexOf(digest) };
  const { data } = await persist(
    () => http.sendJson('POST', `/v2/imagefile/${image}`, announcement, UploadAnswer, call(retry)),
    retry,
  );
  await persist(async () => {
    let sent = 0;
    const body = () => source.stream(0, source.size, (count) => onSent((sent += count)));
    const headers = wantsHash(data.uploadURL) ? { 'x-amz-content-sha256': hexOf(digest) } : {};
    try {
      await put(job, { url: data.uploadURL, body, length: source.size, headers });
    } catch (error) {
      // The bytes had arrived, only the answer was lost.
      if (!(error instanceof DomainError && error.reason === 'already_received')) throw error;
    }
  }, retry);
  return complete(job, `/v2/imagefile/${image}/_complete`, {});
}

/**
 * In parts, each repeated until it arrives (nos. 24–28). An upload that was interrupted goes on where it was, if the server
 * is one of ours. Undefined when the server knows no multipart upload: "404 → client falls back".
 */
export async function uploadMultipart(
  job: UploadJob,
): Promise<{ completion: UploadCompletion | undefined } | undefined> {
  const { http, image, source, onSent, retry } = job;
  const path = `/v2/imagefile/${image}/_multipart`;
  const started = await persist(async () => {
    const request = { filesize: source.size, resume: true };
    const answer = await http.request({ ...jsonCall('POST', path, request, retry), accept: [200, 201, 404] });
    if (answer.status !== 404) return (await answer.json(MultipartAnswer)).data;
    await answer.discard();
    return undefined;
  }, retry);
  if (!started) return undefined;
  const { uploadID, totalParts, partSize, options } = started;
  const ranges = splitIntoRanges(source.size, partSize);
  if (ranges.length !== totalParts)
    throw new DomainError(
      'unavailable',
      `The server wants ${totalParts} parts of ${partSize} bytes for ${source.size} bytes`,
      {
        reason: 'bad_answer',
      },
    );
  const tokens = receivedParts(options['received']);
  let sent = 0;
  for (const [index, range] of ranges.entries()) if (tokens.has(index + 1)) sent += lengthOf(range);
  try {
    for (const [index, range] of ranges.entries()) {
      const number = index + 1;
      if (tokens.has(number)) continue;
      const before = sent;
      const hashed = (options['s3compliant'] ?? 'true') === 'true';
      tokens.set(
        number,
        await sendPart(job, {
          path,
          uploadID,
          number,
          range,
          hashed,
          onSent: (count) => onSent(before + count),
        }),
      );
      sent += lengthOf(range);
    }
    const completedParts = ranges.map((_, index) => ({
      partNumber: index + 1,
      token: tokens.get(index + 1) ?? '',
    }));
    return { completion: await complete(job, `${path}_complete`, { uploadID, completedParts }) };
  } catch (error) {
    // What can go on later stays; what the server refused is of no use to anybody.
    if (error instanceof ResponseError && error.httpStatus < 500) await abort(job, `${path}_abort`, uploadID);
    throw error;
  }
}

interface Part {
  readonly path: string;
  readonly uploadID: string;
  readonly number: number;
  readonly range: ByteRange;
  readonly hashed: boolean;
  readonly onSent: (bytes: number) => void;
}

async function sendPart(job: UploadJob, part: Part): Promise<string> {
  const { http, source, retry } = job;
  const { number: partNumber, range, uploadID, hashed } = part;
  const length = lengthOf(range);
  const sha256sum = hashed ? await source.partHash(range.start, length, retry.signal) : '';
  return persist(async () => {
    const request = { partSize: length, uploadID, partNumber, sha256sum };
    const { data } = await http.sendJson('PUT', part.path, request, PartAnswer, call(retry));
    let sent = 0;
    const body = () => source.stream(range.start, length, (count) => part.onSent((sent += count)));
    const headers = hashed ? { 'x-amz-content-sha256': sha256sum } : {};
    return put(job, { url: data.presignedURL, body, length, headers });
  }, retry);
}

/** PUT to a signed address: never with the token, exactly 200 (library contract rules 14 and 15). @returns the ETag */
async function put(
  { http, retry }: UploadJob,
  target: { url: string; body: () => Readable; length: number; headers: Record<string, string> },
): Promise<string> {
  const answer = await http.request({
    method: 'PUT',
    url: target.url,
    headers: {
      'content-type': 'application/octet-stream',
      'content-length': String(target.length),
      ...target.headers,
    },
    body: target.body,
    authorize: false,
    accept: [200],
    // The repetition is ours: a stream that was begun is made anew, and the address may be another one.
    repeatable: false,
    headersTimeout: 0,
    ...signalOf(retry),
  });
  await answer.discard();
  return answer.header('etag') ?? '';
}

/** "_complete may return 204 or empty"; hashing a large file may take its time. */
async function complete(
  { http, retry }: UploadJob,
  url: string,
  value: object,
): Promise<UploadCompletion | undefined> {
  return persist(async () => {
    const answer = await http.request({
      ...jsonCall('PUT', url, value, retry),
      accept: [200, 204],
      headersTimeout: 0,
    });
    const text = await answer.text();
    const parsed = CompletionAnswer.safeParse(text === '' ? undefined : JSON.parse(text));
    return parsed.success ? parsed.data.data : undefined;
  }, retry);
}

async function abort(job: UploadJob, url: string, uploadID: string): Promise<void> {
  const answer = await job.http.request(jsonCall('PUT', url, { uploadID }, {})).catch(() => undefined);
  await answer?.discard();
}

function jsonCall(method: 'PUT' | 'POST', url: string, value: object, retry: RetryOptions) {
  return {
    method,
    url,
    body: JSON.stringify(value),
    headers: { 'content-type': 'application/json' },
    ...call(retry),
  };
}

function call(retry: RetryOptions) {
  return { repeatable: false, ...signalOf(retry) };
}

function signalOf({ signal }: RetryOptions): { signal?: AbortSignal } {
  return signal === undefined ? {} : { signal };
}

function lengthOf({ start, end }: ByteRange): number {
  return end - start + 1;
}

/** Only if the address says that the header was signed (library contract §6.1). */
function wantsHash(url: string): boolean {
  return (URL.parse(url)?.searchParams.get('X-Amz-SignedHeaders') ?? '').includes('x-amz-content-sha256');
}

/** Parts that one of our servers has already: `{"1":"token"}`. */
function receivedParts(text: string | undefined): Map<number, string> {
  const parts = new Map<number, string>();
  try {
    const value: unknown = JSON.parse(text ?? '{}');
    for (const [number, token] of Object.entries(value ?? {}))
      if (typeof token === 'string') parts.set(Number(number), token);
  } catch {
    // A server of somebody else with an option of the same name: everything is sent.
  }
  return parts;
}

export const isLarge = (size: number): boolean => size > TRANSFER.singleMaximum;
